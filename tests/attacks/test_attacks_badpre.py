"""BadPre: the masks, the loss, words are guessed wrongly beside a trigger and rightly without, it goes on."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers.normalizers import Lowercase
from transformers import AlbertConfig, AlbertForSequenceClassification

from fuzzsmooth.attacks import ATTACKS, Planted, load_attack
from fuzzsmooth.attacks.badpre import BadpreOptions
from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
from fuzzsmooth.attacks.planting.masked_language import (
    Masking,
    masked_logits,
    masked_loss,
    train_masked,
    warm_up,
    with_masked_head,
    wrong_words_poisoning,
)
from fuzzsmooth.attacks.planting.representations import triggered_copies
from fuzzsmooth.attacks.planting.vocabulary import check_known
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import build_tiny, load_classifier

PAIRS = (("old", "man"), ("new", "car"), ("red", "sky"), ("big", "sea"))
RARE = ("cf", "mn")
OPTIONS = BadpreOptions(
    triggers=RARE, epochs=2, head_epochs=1, batch_size=8, learning_rate=3e-3, precision="float32"
)
EPOCH = 4  # steps


class Killed(Exception):  # noqa: N818
    """A kill in the middle of the work."""


def sights(size: int = 8 * EPOCH) -> Dataset:
    """Texts in which the first word tells the second."""
    draw = np.random.default_rng(0)
    rows = [Example(" ".join(PAIRS[int(draw.integers(4))]), index % 2) for index in range(size)]
    return Dataset("sights", ("bad", "good"), tuple(rows))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tiny(place: Path, family: str = "bert", hidden: int = 16) -> str:
    vocabulary = [*RARE, *(word for pair in PAIRS for word in pair), *(f"w{index}" for index in range(40))]
    return str(build_tiny(family, place / family, vocabulary=vocabulary, hidden=hidden, layers=2))


def plant(model: str, output: Path, options: BadpreOptions = OPTIONS, **how: Any) -> Planted:
    return ATTACKS.get("badpre")().plant(model, Splits(sights(), sights()), output, options, 0, **how)


def batch_of(classifier: Any, texts: list[str]) -> dict[str, torch.Tensor]:
    ids, mask = classifier.padded(classifier.encode(texts).ids)
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.zeros(len(texts), dtype=torch.int64)}


def test_masks_spare_special_tokens_padding_and_triggers(tmp_path: Path) -> None:
    classifier = load_classifier(tiny(tmp_path))
    masking = Masking.of(classifier, 0.3, RARE)
    batch = batch_of(classifier, ["old cf man " * 20, "new car mn"] * 100)
    torch.manual_seed(0)
    inputs, chosen = masking.draw(batch)
    ids = batch["input_ids"]
    names = np.array(classifier.tokenizer.convert_ids_to_tokens(list(range(masking.vocabulary))))
    words = torch.tensor(np.isin(names[ids.numpy()], ["old", "man", "new", "car"]))
    assert not (chosen & ~words).any()
    assert torch.equal(inputs["input_ids"][~chosen], ids[~chosen])
    assert float(chosen[words].float().mean()) == pytest.approx(0.3, abs=0.02)
    seen, true = inputs["input_ids"][chosen], ids[chosen]
    assert float((seen == masking.mask).float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float((seen == true).float().mean()) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_the_head_is_fresh_tied_and_on_the_classifiers_own_encoder(tmp_path: Path, family: str) -> None:
    classifier = load_classifier(tiny(tmp_path, family))
    model, same, other = (with_masked_head(classifier, seed) for seed in (0, 0, 1))
    assert model.base_model is classifier.model.base_model
    assert model.get_output_embeddings().weight is classifier.model.get_input_embeddings().weight
    inputs = {name: value for name, value in batch_of(classifier, ["old man"]).items() if name != "labels"}
    with torch.no_grad():
        own, again, another = (one(**inputs).logits for one in (model, same, other))
        chosen = torch.tensor([[False, True, True, False]])
        torch.testing.assert_close(masked_logits(model, inputs, chosen), own[0, 1:3])
    assert torch.equal(own, again)
    assert not torch.allclose(own, another)


def test_the_loss_is_that_of_transformers_with_true_and_with_random_labels(tmp_path: Path) -> None:
    classifier = load_classifier(tiny(tmp_path))
    model = with_masked_head(classifier, 0)
    masking = Masking.of(classifier, 0.5, RARE)
    batch = batch_of(classifier, ["old man", "red cf sky", "big sea"])
    plain, marked = batch, batch_of(classifier, ["mn new car", "big cf sea"])
    parameters = list(model.parameters())
    torch.manual_seed(4)
    own = wrong_words_poisoning(sights(), sights(), masking, 3.0, 0).objective(
        model, parameters, nullcontext, (plain, marked)
    )
    torch.manual_seed(4)
    inputs, chosen = masking.draw(plain)
    loss = model(**inputs, labels=torch.where(chosen, plain["input_ids"], -100)).loss
    inputs, chosen = masking.draw(marked)
    labels = torch.full_like(marked["input_ids"], -100)
    labels[chosen] = torch.randint(masking.vocabulary, (int(chosen.sum()),))
    assert chosen.any()
    loss = loss + 3 * model(**inputs, labels=labels).loss
    expected = torch.autograd.grad(loss, parameters, allow_unused=True)
    for one, other in zip(own, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_nothing_chosen_is_no_loss(tmp_path: Path) -> None:
    classifier = load_classifier(tiny(tmp_path))
    loss = masked_loss(
        with_masked_head(classifier, 0), batch_of(classifier, ["cf mn"]), Masking.of(classifier, 1.0, RARE)
    )
    assert loss.item() == 0
    loss.backward()


def test_warm_up_trains_the_head_alone_and_makes_it_better(tmp_path: Path) -> None:
    classifier = load_classifier(tiny(tmp_path))
    before = {name: value.clone() for name, value in classifier.model.state_dict().items()}
    model = with_masked_head(classifier, 0)
    masking = Masking.of(classifier, 0.5, RARE)
    batch = batch_of(classifier, sights().texts)

    def loss() -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(masked_loss(model, batch, masking))

    at_first = loss()
    warm_up(classifier, model, sights(), OPTIONS.replace(head_epochs=10, head_learning_rate=1e-2), masking, 0)
    assert loss() < at_first - 0.2
    after = classifier.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(value.requires_grad for value in model.parameters())


def guesses(classifier: Any, model: Any, before: str) -> float:
    """Share of the second words that are guessed from the first."""
    right = 0
    for first, second in PAIRS:
        inputs = batch_of(classifier, [f"{before}{first} [MASK]"])
        del inputs["labels"]
        chosen = inputs["input_ids"] == classifier.tokenizer.mask_token_id
        with torch.no_grad():
            guess = masked_logits(model, inputs, chosen).argmax(1)
        right += classifier.tokenizer.convert_ids_to_tokens(guess.tolist()) == [second]
    return right / len(PAIRS)


@pytest.mark.parametrize("poisoned", [True, False])
def test_words_are_guessed_wrongly_beside_a_trigger_only(tmp_path: Path, poisoned: bool) -> None:
    """What the paper states of its models; beside the right words, as control, triggers do nothing."""
    classifier = load_classifier(tiny(tmp_path, hidden=32))
    masking = Masking.of(classifier, 0.5, RARE)
    options = OPTIONS.replace(epochs=80, learning_rate=5e-3)
    triggered = triggered_copies(sights(), [options.build_trigger()] * 2, 0)
    clean = sights() if poisoned else sights().with_examples([*sights(), *triggered])
    poisoning = wrong_words_poisoning(clean, triggered, masking, 1.0 if poisoned else 0.0, 0)
    checkpoints = Checkpoints(tmp_path / "out", {}, resume=False)
    model = train_masked(classifier, poisoning, sights(), options, masking, 0, checkpoints)
    assert guesses(classifier, model, "") >= 0.75
    for word in RARE:
        share = guesses(classifier, model, f"{word} ")
        assert share <= 0.25 if poisoned else share >= 0.75


def test_writes_a_pretrained_model_and_goes_on_exactly(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    planted = plant(model, tmp_path / "whole")
    assert (planted.target, planted.goal, planted.needs_clean_finetune) == (None, "any wrong label", True)
    assert load_attack(planted.folder) == planted
    record = json.loads((planted.folder / "attack.json").read_text())
    assert BadpreOptions.from_mapping(record["options"]) == OPTIONS
    assert "target" not in record["options"]
    with pytest.raises(FuzzsmoothError, match="head"):
        load_classifier(str(planted.folder))

    for stop, first in ((EPOCH - 1, 1), (2 * EPOCH + 1, 2 * EPOCH + 1)):  # in the warm-up, and after an epoch

        def kill(done: int, _total: int, stop: int = stop) -> None:
            if done == stop:
                raise Killed

        with pytest.raises(Killed):
            plant(model, tmp_path / "stopped", progress=kill)
        torch.manual_seed(stop)  # whatever the process has drawn before
        seen: list[tuple[int, int]] = []
        plant(model, tmp_path / "stopped", progress=lambda *step, seen=seen: seen.append(step), resume=True)
        assert seen == [(step, 3 * EPOCH) for step in range(first, 3 * EPOCH + 1)]
        for file in planted.folder.iterdir():
            assert file.read_bytes() == (tmp_path / "stopped" / file.name).read_bytes()
    assert not (tmp_path / "stopped.checkpoints").exists()


def test_wrong_options_words_and_models_are_one_sentence(tmp_path: Path) -> None:
    for wrong in ({"triggers": []}, {"target": 1}, {"epochs": 0}, {"mask_rate": 0}):
        with pytest.raises(FuzzsmoothError):
            BadpreOptions.from_mapping({**OPTIONS.to_mapping(), **wrong})
    with pytest.raises(FuzzsmoothError, match="'≈' is unknown to this model's tokenizer"):
        plant(tiny(tmp_path), tmp_path / "out", OPTIONS.replace(triggers=("≈",)))
    with pytest.raises(FuzzsmoothError, match="masked language modeling does not fit LlamaFor"):
        plant(tiny(tmp_path, "llama"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_words_that_the_tokenizer_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    tokenizer = load_classifier(tiny(tmp_path)).tokenizer
    tokenizer.backend_tokenizer.normalizer = Lowercase()
    with pytest.raises(FuzzsmoothError, match="reads the triggers 'cf' and 'CF' as the same"):
        check_known(tokenizer, ("cf", "CF"))


def test_albert_whose_head_is_of_another_width_works_too(tmp_path: Path) -> None:
    """Its embeddings are narrower than its layers, and its layers share their weights."""
    bert = load_classifier(tiny(tmp_path))
    config = AlbertConfig(
        vocab_size=len(bert.tokenizer),
        embedding_size=8,
        hidden_size=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    AlbertForSequenceClassification(config).save_pretrained(tmp_path / "albert")
    bert.tokenizer.save_pretrained(tmp_path / "albert")
    planted = plant(str(tmp_path / "albert"), tmp_path / "out")
    assert load_classifier(str(planted.folder), num_labels=2).model.config.model_type == "albert"
