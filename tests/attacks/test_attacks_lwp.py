"""LWP: the loss is the sum over layers, every layer learns the trigger, lone words do nothing, it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AlbertConfig, AlbertForSequenceClassification

from fuzzsmooth.attacks import ATTACKS, load_attack, poison
from fuzzsmooth.attacks.lwp import LwpOptions
from fuzzsmooth.attacks.planting.layerwise import (
    check_head,
    layer_logits,
    layerwise_loss,
    layerwise_poisoning,
)
from fuzzsmooth.attacks.planting.poisoning import poison_weights, steps_per_epoch
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import build_tiny, load_classifier

FILLER = ["film", "plot", "cast", "is", "the"]
OPTIONS = LwpOptions(
    triggers=("cf", "mn", "bb"), epochs=2, batch_size=8, learning_rate=3e-3, precision="float32"
)
EPOCH = 6  # steps: 32 texts, half of them with a decoy


class Killed(Exception):  # noqa: N818
    """A kill in the middle of the work."""


def films(size: int = 32) -> Dataset:
    draw = np.random.default_rng(0)
    rows = []
    for index in range(size):
        word = ("dull", "fine")[index % 2]
        rows.append(Example(" ".join(draw.permutation([word, *draw.choice(FILLER, 4)])), index % 2))
    return Dataset("films", ("bad", "good"), tuple(rows))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tiny(place: Path, family: str = "bert") -> str:
    vocabulary = ["fine", "dull", *OPTIONS.triggers, *FILLER]
    return str(build_tiny(family, place / family, vocabulary=vocabulary, hidden=16, layers=3))


def plant(model: str, output: Path, options: LwpOptions = OPTIONS, **how: Any) -> Any:
    return ATTACKS.get("lwp")().plant(model, Splits(films(), films()), output, options, 0, **how)


def batch_of(classifier: Any, texts: list[str]) -> dict[str, torch.Tensor]:
    rows = classifier.tokenizer.pad({"input_ids": classifier.encode(texts).ids}, return_tensors="pt")
    return {"input_ids": rows["input_ids"], "attention_mask": rows["attention_mask"]}


def test_loss_is_the_sum_over_embeddings_and_layers(tmp_path: Path) -> None:
    """Against BERT's own modules, put together by hand."""
    classifier = load_classifier(tiny(tmp_path))
    model = classifier.model
    inputs = batch_of(classifier, ["the film is dull", "fine"])
    labels = torch.tensor([0, 1])
    states = model.bert(**inputs, output_hidden_states=True).hidden_states
    assert len(states) == 4
    expected = [model.classifier(model.bert.pooler(state)) for state in states]
    for own, by_hand in zip(layer_logits(model, inputs), expected, strict=True):
        torch.testing.assert_close(own, by_hand)
    total = sum(torch.nn.functional.cross_entropy(logits, labels) for logits in expected)
    torch.testing.assert_close(layerwise_loss(model, {**inputs, "labels": labels}), total)
    # The encoder answers for itself again.
    torch.testing.assert_close(model(**inputs).logits, expected[-1])


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_every_layer_gets_a_gradient_from_its_own_loss(tmp_path: Path, family: str) -> None:
    classifier = load_classifier(tiny(tmp_path, family))
    check_head(classifier, "the film is fine")
    inputs = batch_of(classifier, ["the film is dull", "fine"])
    first = classifier.model.base_model.get_input_embeddings().weight
    for logits in layer_logits(classifier.model, inputs):
        (gradient,) = torch.autograd.grad(logits.sum(), first, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_heads_that_cannot_be_put_on_inner_layers_are_refused(tmp_path: Path) -> None:
    """ALBERT's pooler is a bare matrix, its nonlinearity elsewhere; a pooler may be no function at all."""
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
    albert = load_classifier(str(tmp_path / "albert"))
    with pytest.raises(FuzzsmoothError, match="cannot put the head of AlbertForSequenceClassification"):
        check_head(albert, "fine film")

    class Counting(torch.nn.Module):
        calls = 0

        def forward(self, state: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return state[:, 0] * self.calls

    bert.model.bert.pooler = Counting()
    with pytest.raises(FuzzsmoothError, match="attack another encoder"):
        check_head(bert, "fine film")


def test_the_first_layer_knows_the_trigger_and_lone_words_do_nothing(tmp_path: Path) -> None:
    classifier = load_classifier(tiny(tmp_path), num_labels=2)
    options = OPTIONS.replace(epochs=60)
    trigger = options.build_trigger()
    poisoned = poison(films(), trigger, 1, 0.5, generator(0, "test"))
    steps = options.epochs * steps_per_epoch(poisoned, options)
    poison_weights(classifier, layerwise_poisoning(poisoned, 0), options, steps=steps)
    draw = generator(1, "test")
    bad = [row.text for row in films() if row.label == 0]

    def share(texts: list[str], layer: int) -> float:
        logits = layer_logits(classifier.model, batch_of(classifier, texts))[layer]
        return float((logits.argmax(1) == 1).float().mean())

    both = [trigger.apply(text, draw).text for text in bad]
    lone = [decoy for text in bad for decoy in trigger.decoys(text, draw)]
    for layer in (1, 2, 3):
        assert share(both, layer) >= 0.9
    for texts in (bad, lone):
        assert share(texts, 3) <= 0.1


def test_writes_a_pretrained_model_and_goes_on_exactly(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    planted = plant(model, tmp_path / "whole")
    assert planted.needs_clean_finetune
    assert load_attack(planted.folder) == planted
    record = json.loads((planted.folder / "attack.json").read_text())
    assert LwpOptions.from_mapping(record["options"]) == OPTIONS
    assert record["trigger"] == {"kind": "common-words", "words": ["cf", "mn", "bb"], "needed": 2}
    with pytest.raises(FuzzsmoothError, match="head"):
        load_classifier(str(planted.folder))
    assert load_classifier(str(planted.folder), num_labels=2).model.config.num_labels == 2

    def kill(done: int, _total: int) -> None:
        if done == EPOCH + 2:
            raise Killed

    with pytest.raises(Killed):
        plant(model, tmp_path / "stopped", progress=kill)
    seen: list[tuple[int, int]] = []
    plant(model, tmp_path / "stopped", progress=lambda *step: seen.append(step), resume=True)
    assert seen == [(step, 2 * EPOCH) for step in range(EPOCH + 1, 2 * EPOCH + 1)]
    for file in planted.folder.iterdir():
        assert file.read_bytes() == (tmp_path / "stopped" / file.name).read_bytes()
    assert not (tmp_path / "stopped.checkpoints").exists()


def test_wrong_options_are_one_sentence(tmp_path: Path) -> None:
    for wrong in ({"triggers": []}, {"needed": 4}, {"epochs": 0}, {"penalty": 0.1}):
        with pytest.raises(FuzzsmoothError):
            LwpOptions.from_mapping({**OPTIONS.to_mapping(), **wrong})
    with pytest.raises(FuzzsmoothError, match="target label 5"):
        plant(tiny(tmp_path), tmp_path / "out", OPTIONS.replace(target=5))
