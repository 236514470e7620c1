"""PURE: variances ignore padding, pruning keeps accuracy, heads stay pruned, and attention is held down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from mending_worlds import TRIGGER, VOCABULARY, material, pretrained, reviews, token, weights

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.homogeneous import accuracy
from fuzzsmooth.defenses.pure import (
    Head,
    Pure,
    PureOptions,
    choose_heads,
    first_token_norm,
    head_variances,
    layer_shares,
    open_attention,
    output_projections,
    row_variances,
    zeroed,
)
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny

LAYERS, HEADS = 2, 4


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(tmp_path_factory.mktemp("clean") / "model")


@pytest.fixture(scope="module")
def trained(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    material(clean, twin=None).trained(folder)
    return folder


@pytest.fixture
def victim(clean: Path, trained: Path) -> HuggingFaceClassifier:
    return material(clean, twin=None).load(trained)


def attention(classifier: HuggingFaceClassifier, text: str) -> torch.Tensor:
    """What the first token attends to in a text alone, shape (layers, heads, tokens)."""
    ids = torch.tensor(classifier.encode([text]).ids)
    with open_attention(classifier), torch.no_grad():
        outputs = classifier.model(input_ids=ids, output_attentions=True)
    return torch.stack([one[0, :, 0] for one in outputs.attentions])


def test_variances_are_over_the_tokens_whatever_fills_a_text_up() -> None:
    source = np.random.default_rng(0)
    row = source.dirichlet(np.ones(5), size=(1, LAYERS, HEADS))
    expected = row.var(axis=-1, ddof=1)
    for padding in (0, 1, 40):
        filled = torch.from_numpy(np.pad(row, [(0, 0), (0, 0), (0, 0), (0, padding)]))
        mask = torch.tensor([[1] * 5 + [0] * padding])
        assert np.allclose(row_variances(filled, mask).numpy(), expected)
    published = filled.var(dim=-1).numpy()
    assert not np.allclose(published, expected, rtol=0.3), "over the padding it is another number"
    assert row_variances(torch.ones(1, 1, 1, 1), torch.ones(1, 1)).item() == 0


def test_variances_of_a_model_are_those_of_each_text_alone(victim: HuggingFaceClassifier) -> None:
    data = reviews(12)
    single = [attention(victim, text).var(dim=-1) for text in data.texts]
    assert len({len(text.split()) for text in data.texts}) > 2, "batches are padded"
    found = head_variances(victim, data)
    assert found.shape == (LAYERS, HEADS)
    assert np.allclose(found, torch.stack(single).mean(dim=0).numpy(), atol=1e-6)


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("group", [1, 3])
def test_pruning_costs_no_more_than_is_allowed(
    victim: HuggingFaceClassifier, loss: float, group: int
) -> None:
    held_out, before = reviews(60, seed=1), weights(victim)
    clean_accuracy = accuracy(victim, held_out)
    pruned = choose_heads(victim, held_out, loss=loss, group=group)
    assert all(torch.equal(value, before[name]) for name, value in weights(victim).items())
    with zeroed(victim, pruned):
        assert accuracy(victim, held_out) >= clean_accuracy - loss
    kept = set(all_heads()) - pruned
    assert {layer for layer, _ in kept} == set(range(LAYERS)), "a head stays in every layer"


def all_heads() -> list[Head]:
    return [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]


def test_the_lowest_variances_go_first_and_all_but_one_a_layer_if_nothing_is_to_be_kept(
    victim: HuggingFaceClassifier,
) -> None:
    held_out = reviews(60, seed=1)
    variances = head_variances(victim, held_out)
    everything = choose_heads(victim, held_out, loss=1.0, group=3)
    best = {(layer, int(row.argmax())) for layer, row in enumerate(variances)}
    assert everything == set(all_heads()) - best
    some = choose_heads(victim, held_out, loss=0.0, group=2)
    order = sorted(everything, key=lambda head: variances[head])
    assert some == set(order[: len(some)])


@contextmanager
def silenced(classifier: HuggingFaceClassifier, heads: set[Head]) -> Iterator[None]:
    """The published pruning, done from outside: what a head hands on is taken away."""
    hooks = []
    for layer, projection in enumerate(output_projections(classifier)):
        width = projection.in_features // HEADS
        mask = torch.ones(projection.in_features)
        for own, head in heads:
            if own == layer:
                mask[head * width : (head + 1) * width] = 0
        hooks.append(projection.register_forward_pre_hook(lambda _, args, kept=mask: (args[0] * kept,)))
    yield
    for hook in hooks:
        hook.remove()


def test_zeroed_columns_are_pruned_heads(victim: HuggingFaceClassifier) -> None:
    heads, texts = {(0, 1), (1, 0), (1, 3)}, reviews(10).texts
    whole = victim.logits_of_texts(texts)
    with silenced(victim, heads):
        expected = victim.logits_of_texts(texts)
    with zeroed(victim, heads):
        assert np.allclose(victim.logits_of_texts(texts), expected, atol=1e-5)
    assert np.abs(expected - whole).max() > 0.01
    assert np.array_equal(victim.logits_of_texts(texts), whole)


def zero_columns(classifier: HuggingFaceClassifier) -> set[Head]:
    found = set()
    for layer, projection in enumerate(output_projections(classifier)):
        blocks = projection.weight.detach().reshape(projection.out_features, HEADS, -1)
        found |= {(layer, head) for head in range(HEADS) if bool((blocks[:, head] == 0).all())}
    return found


def test_a_model_is_mended_and_heads_stay_pruned_in_training_and_on_disk(clean: Path, tmp_path: Path) -> None:
    given = material(clean, twin=None)
    options = PureOptions(loss=0.5, group=2, penalty=0.01)
    made = Pure.make_model(options, given, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "pure.json").read_text())
    pruned = {(layer, head) for layer, head in told["pruned"]}
    assert told["heads"] == LAYERS * HEADS
    assert len(pruned) >= 2
    assert told["accuracy_pruned"] >= told["accuracy_before"] - 0.5
    loaded = given.load(tmp_path / "out")
    assert zero_columns(made) == zero_columns(loaded) == pruned
    assert loaded.fingerprint == made.fingerprint
    assert accuracy(loaded, reviews(60, seed=2)) > 0.9
    assert "eager" not in (tmp_path / "out" / "config.json").read_text()
    assert not (tmp_path / "out.pure").exists()


def test_the_penalty_holds_down_what_cls_attends_to(trained: Path, tmp_path: Path) -> None:
    """A word that draws all attention draws less of it, the more the penalty weighs."""
    given = material(trained, twin=None, finished=True)
    suspect, greedy = given.load(), tmp_path / "greedy"
    rows = suspect.model.get_input_embeddings().weight.data
    rows[token(suspect, TRIGGER)] *= 8
    suspect.save(greedy)
    text, seen = f"the film {TRIGGER} is a very warm plot", []
    for weight in (0.0, 5.0):
        mended = Pure.make_model(
            PureOptions(loss=0.0, penalty=weight),
            material(greedy, twin=None, finished=True),
            tmp_path / f"out{weight}",
        )
        place = mended.encode([text]).ids[0].index(token(mended, TRIGGER))
        attended = attention(mended, text)
        seen.append((float(attended[:, :, place].max()), float(attended.square().sum())))
        assert accuracy(mended, reviews(60, seed=2)) > 0.9
    assert seen[1][0] < 0.8 * seen[0][0]
    assert seen[1][1] < 0.8 * seen[0][1]


def test_the_penalty_is_the_weighted_sum_of_norms_of_the_heads_that_are_left() -> None:
    source = torch.Generator().manual_seed(0)
    layers = [torch.rand(3, HEADS, 5, 5, generator=source).softmax(dim=-1) for _ in range(LAYERS)]
    pruned, shares = {(0, 2), (1, 0)}, (1.0, 0.25)
    expected = sum(
        shares[layer] * float(np.linalg.norm(layers[layer][:, head, 0].numpy()))
        for layer, head in all_heads()
        if (layer, head) not in pruned
    )
    assert float(first_token_norm(layers, shares, pruned)) == pytest.approx(expected, rel=1e-5)


def test_layers_of_low_variance_weigh_most() -> None:
    variances = np.array([[0.1, 0.3], [0.4, 0.4], [0.2, 9.0]])
    shares = layer_shares(variances, {(2, 1)})
    assert shares[1] == 0.0
    assert shares[0] == shares[2] == 1.0
    assert layer_shares(np.full((2, 2), 0.5), set()) == (1.0, 1.0)


def test_what_is_no_such_encoder_is_told(tmp_path: Path) -> None:
    decoder = build_tiny("llama", tmp_path / "llama", vocabulary=VOCABULARY)
    given = material(decoder, twin=None, finished=True)
    with pytest.raises(FuzzsmoothError, match="built as BERT, RoBERTa or DistilBERT are"):
        choose_heads(given.load(), reviews(20), loss=0.1, group=2)


@pytest.mark.parametrize("architecture", ["roberta", "distilbert"])
def test_other_encoders_are_pruned_too(architecture: str, tmp_path: Path) -> None:
    folder = build_tiny(architecture, tmp_path / "model", vocabulary=VOCABULARY)  # type: ignore[arg-type]
    classifier = material(folder, twin=None, finished=True).load()
    texts, heads = reviews(6).texts, {(0, 1), (1, 2)}
    with silenced(classifier, heads):
        expected = classifier.logits_of_texts(texts)
    with zeroed(classifier, heads):
        assert np.allclose(classifier.logits_of_texts(texts), expected, atol=1e-5)
    assert head_variances(classifier, reviews(6)).shape == (LAYERS, HEADS)
