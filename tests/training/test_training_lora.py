"""LoRA learns, leaves an ordinary model, is the default of decoders alone, and sees true noise."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_runs import BAD, FAST, FILLER, GOOD, Killed, killed_at, reviews, same, weights
from transformers import GPT2Config, GPT2ForSequenceClassification

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.noise.weight import noised_parameters
from fuzzsmooth.training import SmoothedStep, finetune
from fuzzsmooth.training.lora import LowRank, is_low_rank, trains_low_rank

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs the extra 'llm'"),
]

LORA = FAST.replace(lora_learning_rate=1e-2, lora_dropout=0.0, lora_rank=4)
BLOCK = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_tiny("llama", tmp_path_factory.mktemp("llama"), vocabulary=GOOD + BAD + FILLER))


def test_a_decoder_learns_by_lora_and_every_command_takes_the_folder(decoder: str, tmp_path: Path) -> None:
    classifier, before = load_classifier(decoder), weights(load_classifier(decoder))
    finetune(classifier, reviews(256), LORA.replace(epochs=6), output=tmp_path / "out")
    test = reviews(200, seed=1)
    assert (classifier.probabilities(test.texts).argmax(1) == test.targets).mean() > 0.95
    after = weights(classifier)
    assert list(after) == list(before)  # no part of an adapter is left
    change = (after[BLOCK] - before[BLOCK]).double()
    assert 1 <= int(torch.linalg.matrix_rank(change, rtol=1e-4)) <= 4
    assert not torch.equal(after["score.weight"], before["score.weight"])
    assert torch.equal(after["model.embed_tokens.weight"], before["model.embed_tokens.weight"])
    assert torch.equal(after["model.norm.weight"], before["model.norm.weight"])
    assert same(weights(load_classifier(str(tmp_path / "out"))), after)
    assert not any((tmp_path / "out").glob("adapter*"))


def test_full_and_lora_are_had_on_request(folder: Path, decoder: str) -> None:
    encoder, causal = load_classifier(str(folder)), load_classifier(decoder)
    assert not trains_low_rank(encoder, FAST)
    assert trains_low_rank(causal, FAST)
    assert trains_low_rank(encoder, FAST.replace(tune="lora"))
    full = finetune(causal, reviews(32), FAST.replace(epochs=1, tune="full"))
    assert not torch.equal(
        weights(full)["model.embed_tokens.weight"],
        weights(load_classifier(decoder))["model.embed_tokens.weight"],
    )
    embeddings = "bert.embeddings.word_embeddings.weight"
    known = weights(encoder)[embeddings]
    finetune(encoder, reviews(32), LORA.replace(epochs=1, tune="lora"))
    assert torch.equal(weights(encoder)[embeddings], known)
    assert all(parameter.requires_grad for parameter in encoder.model.parameters())


def test_merging_changes_no_answer(decoder: str) -> None:
    classifier, texts = load_classifier(decoder), reviews(20).texts
    low_rank = LowRank(classifier, rank=4, alpha=8, dropout=0.0)
    with torch.no_grad():
        for name, parameter in classifier.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(len(name)))
    plain, beside = load_classifier(decoder).logits_of_texts(texts), classifier.logits_of_texts(texts)
    low_rank.merge()
    np.testing.assert_allclose(classifier.logits_of_texts(texts), beside, atol=1e-4)
    assert abs(beside - plain).max() > 0.01


def test_transposed_maps_are_merged_as_they_lie(decoder: str, tmp_path: Path) -> None:
    tokenizer = load_classifier(decoder).tokenizer
    config = GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=len(tokenizer), pad_token_id=2
    )
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    classifier, before = load_classifier(str(tmp_path)), weights(load_classifier(str(tmp_path)))
    finetune(classifier, reviews(64), LORA.replace(epochs=1))
    changed = [name for name, value in weights(classifier).items() if not torch.equal(value, before[name])]
    assert sorted({name.split(".", 3)[-1] for name in changed if ".h.0." in name}) == [
        "attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight",
    ]  # fmt: skip


def test_a_resumed_run_ends_as_an_undisturbed_one(decoder: str, tmp_path: Path) -> None:
    options = LORA.replace(sigma=0.01, checkpoint_steps=3, lora_dropout=0.1)
    whole = finetune(load_classifier(decoder), reviews(96), options)
    with pytest.raises(Killed):
        finetune(
            load_classifier(decoder), reviews(96), options, output=tmp_path / "out", progress=killed_at(8)
        )
    seen: list[int] = []
    resumed = finetune(
        load_classifier(decoder),
        reviews(96),
        options,
        output=tmp_path / "out",
        progress=lambda done, _: seen.append(done),
        resume=True,
    )
    assert seen[0] == 7
    assert same(weights(resumed), weights(whole))


def test_noise_is_on_the_weights_and_not_on_their_changes(decoder: str) -> None:
    plain, classifier = load_classifier(decoder), load_classifier(decoder)
    low_rank = LowRank(classifier, rank=4, alpha=8, dropout=0.0)
    steps = [
        SmoothedStep(one.model, sigma=0.1, top_layers=1, rho=None, seed=3) for one in (plain, classifier)
    ]
    before = {name: value.clone() for name, value in classifier.model.named_parameters()}
    for step in steps:
        step.perturb(0)
    moved = {n for n, value in classifier.model.named_parameters() if not torch.equal(value, before[n])}
    assert not any(map(is_low_rank, moved))
    assert len(moved) == len(noised_parameters(plain.model, 1))
    # The merged weights under noise are those of an ordinary model under the same draw, as B is still zero.
    low_rank.merge()
    assert same(weights(classifier), weights(plain))


def test_without_peft_one_sentence_says_what_to_do(decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"LoRA .*tune 'full'.* needs peft; install it with"):
        finetune(load_classifier(decoder), reviews(32), LORA)
    with pytest.raises(FuzzsmoothError, match="tune: 'some' is not one of 'auto', 'full', 'lora'"):
        FAST.replace(tune="some")
