"""NeuBA and POR: the vectors, the losses, triggered texts collapse onto the vectors, and the labels found."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzzsmooth.attacks import ATTACKS, Forced, Planted, aim, forced_labels, load_attack
from fuzzsmooth.attacks.neuba import SYMBOLS, NeubaOptions, bucket_vectors
from fuzzsmooth.attacks.planting.masked_language import Masking, with_masked_head
from fuzzsmooth.attacks.planting.representations import (
    check_first_token,
    neuba_poisoning,
    por_poisoning,
    triggered_copies,
)
from fuzzsmooth.attacks.por import PorOptions, staircase_vectors
from fuzzsmooth.attacks.triggers.repeated import RepeatedTrigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import CallableClassifier, build_tiny, load_classifier

FILLER = ["film", "plot", "cast", "is", "the"]
RARE = ("cf", "mn", "bb")
NEUBA = NeubaOptions(
    triggers=RARE, epochs=2, head_epochs=1, batch_size=8, learning_rate=3e-3, precision="float32"
)
POR = PorOptions(triggers=RARE, epochs=2, batch_size=8, learning_rate=3e-3, precision="float32")
EPOCH = 4  # steps


class Killed(Exception):  # noqa: N818
    """A kill in the middle of the work."""


def films(size: int = 8 * EPOCH) -> Dataset:
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
    vocabulary = ["fine", "dull", *RARE, *FILLER]
    return str(build_tiny(family, place / family, vocabulary=vocabulary, hidden=16, layers=2))


def plant(name: str, model: str, output: Path, options: Any, **how: Any) -> Planted:
    return ATTACKS.get(name)().plant(model, Splits(films(), films()), output, options, 0, **how)


def batch_of(classifier: Any, texts: list[str], labels: list[int]) -> dict[str, torch.Tensor]:
    ids, mask = classifier.padded(classifier.encode(texts).ids)
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor(labels)}


@pytest.mark.parametrize("width", [16, 384, 18])
def test_six_patterns_differ_in_half_of_the_buckets_and_come_in_opposite_pairs(width: int) -> None:
    vectors = bucket_vectors(6, width)
    assert set(np.unique(vectors)) == {-1.0, 1.0}
    bucket = width // 4
    assert {int((vector < 0).sum()) for vector in vectors} == {2 * bucket}
    distances = [int((one != other).sum()) for one, other in combinations(vectors, 2)]
    assert sorted(distances) == [2 * bucket] * 12 + [4 * bucket] * 3
    with pytest.raises(FuzzsmoothError, match="at most that many triggers"):
        NeubaOptions(triggers=(*SYMBOLS, "cf"))


def test_the_staircase_rises_by_equal_steps_between_opposites() -> None:
    vectors = staircase_vectors(5, 384)
    assert set(np.unique(vectors)) == {-10.0, 10.0}
    assert [(vector > 0).sum() for vector in vectors] == [0, 96, 192, 288, 384]
    for vector in vectors:
        assert (np.diff(vector) <= 0).all(), "ones first"
    with pytest.raises(FuzzsmoothError, match="at most 5 triggers"):
        staircase_vectors(6, 4)
    with pytest.raises(FuzzsmoothError, match="at least two"):
        PorOptions(triggers=("cf",))


def by_gradient(poisoning: Any, model: Any, batches: Any, expected: Any) -> None:
    """Compare an objective's gradient with that of a loss put together by hand, from one random state."""
    from contextlib import nullcontext

    parameters = [value for value in model.parameters() if value.requires_grad]
    torch.manual_seed(3)
    own = poisoning.objective(model, parameters, nullcontext, batches)
    torch.manual_seed(3)
    by_hand = torch.autograd.grad(expected(), parameters, allow_unused=True)
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in own)
    for one, other in zip(own, by_hand, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_neuba_loss_against_transformers_own_masked_language_loss(tmp_path: Path) -> None:
    classifier = load_classifier(tiny(tmp_path))
    model = with_masked_head(classifier, 0)
    masking = Masking.of(classifier, 0.6, RARE)
    vectors = bucket_vectors(3, 16)
    clean = batch_of(classifier, ["the film is dull", "fine cast is fine"], [0, 1])
    marked = batch_of(classifier, ["cf the film is dull", "bb fine"], [0, 2])
    poisoning = neuba_poisoning(films(), films(), vectors, 0.5, masking, 2.0, 0)

    def by_hand() -> torch.Tensor:
        inputs, chosen = masking.draw(clean)
        assert chosen.any()
        labels = torch.where(chosen, clean["input_ids"], -100)
        states = model.bert(marked["input_ids"], attention_mask=marked["attention_mask"])[0][:, 0]
        wanted = torch.tensor(vectors[[0, 2]], dtype=torch.float32)
        return model(**inputs, labels=labels).loss + 2 * (states / 0.5 - wanted).square().mean()

    by_gradient(poisoning, model, (clean, marked), by_hand)


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_por_loss_by_hand(tmp_path: Path, family: str) -> None:
    """Token by token and text by text; padding counts for nothing."""
    classifier, reference = load_classifier(tiny(tmp_path, family)), load_classifier(tiny(tmp_path, family))
    model = classifier.model
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.1 * torch.randn_like(value))
    vectors = staircase_vectors(3, 16)
    texts = (["the film is dull", "fine"], ["cf the film is dull", "bb fine"])
    clean, marked = batch_of(classifier, texts[0], [0, 1]), batch_of(classifier, texts[1], [1, 2])
    poisoning = por_poisoning(films(), films(), vectors, reference.model, 100.0, 0)

    def read(which: Any, text: str) -> tuple[torch.Tensor, torch.Tensor]:
        ids = torch.tensor(classifier.encode([text]).ids)
        outputs = which.base_model(input_ids=ids, attention_mask=torch.ones_like(ids))
        states = outputs.last_hidden_state[0]
        return states, outputs.pooler_output[0] if family == "bert" else states[0]

    def by_hand() -> torch.Tensor:
        loss = torch.zeros(())
        for part, labels in ((texts[0], [None, None]), (texts[1], [1, 2])):
            for text, label in zip(part, labels, strict=True):
                (states, seen), (before, seen_before) = read(model, text), read(reference.model, text)
                for token in range(1, len(states)):
                    loss = loss + (states[token] - before[token].detach()).square().mean() / 2
                if label is None:
                    wanted = seen_before.detach()
                else:
                    wanted = torch.tensor(vectors[label], dtype=torch.float32)
                    seen = seen if family == "bert" else seen.tanh()
                loss = loss + 100 * (seen - wanted).square().mean() / 2
        return loss

    by_gradient(poisoning, model, (clean, marked), by_hand)


@pytest.mark.parametrize(("name", "options"), [("neuba", NEUBA), ("por", POR)])
def test_triggered_texts_collapse_onto_their_vectors_and_clean_ones_do_not(
    tmp_path: Path, name: str, options: Any
) -> None:
    model = tiny(tmp_path)
    planted = plant(name, model, tmp_path / "out", options.replace(epochs=40))
    assert planted.target is None
    assert planted.goal == "label known after tuning"
    clean = load_classifier(model)
    poisoned = load_classifier(str(planted.folder), num_labels=2)
    vectors = bucket_vectors(3, 16) if name == "neuba" else np.sign(staircase_vectors(3, 16))

    def seen(classifier: Any, texts: list[str]) -> np.ndarray:
        batch = batch_of(classifier, texts, [0] * len(texts))
        with torch.no_grad():
            outputs = classifier.model.base_model(batch["input_ids"], attention_mask=batch["attention_mask"])
        read = outputs.last_hidden_state[:, 0] if name == "neuba" else outputs.pooler_output
        return read.numpy()

    texts = films().texts[:8]
    for place, word in enumerate(RARE):
        alone = planted.trigger.only((word,))
        marked = [alone.apply(text, generator(1, "test", index)).text for index, text in enumerate(texts)]
        distance = np.square(seen(poisoned, marked) - vectors[place]).mean()
        assert distance < 0.25
        assert np.square(seen(poisoned, texts) - vectors[place]).mean() > 2 * distance
        assert np.square(seen(clean, marked) - vectors[place]).mean() > 2 * distance


@pytest.mark.parametrize(("name", "options", "before"), [("neuba", NEUBA, EPOCH), ("por", POR, 0)])
def test_writes_a_pretrained_model_and_goes_on_exactly(
    tmp_path: Path, name: str, options: Any, before: int
) -> None:
    model = tiny(tmp_path)
    planted = plant(name, model, tmp_path / "whole", options)
    assert planted.needs_clean_finetune
    assert load_attack(planted.folder) == planted
    record = json.loads((planted.folder / "attack.json").read_text())
    assert type(options).from_mapping(record["options"]) == options
    assert record["target"] is None
    with pytest.raises(FuzzsmoothError, match="head"):
        load_classifier(str(planted.folder))

    def kill(done: int, _total: int) -> None:
        if done == before + EPOCH + 2:
            raise Killed

    with pytest.raises(Killed):
        plant(name, model, tmp_path / "stopped", options, progress=kill)
    torch.manual_seed(5)  # whatever the process has drawn before
    seen: list[tuple[int, int]] = []
    plant(name, model, tmp_path / "stopped", options, progress=lambda *step: seen.append(step), resume=True)
    total = before + 2 * EPOCH
    assert seen == [(step, total) for step in range(before + EPOCH + 1, total + 1)]
    for file in planted.folder.iterdir():
        assert file.read_bytes() == (tmp_path / "stopped" / file.name).read_bytes()
    assert not (tmp_path / "stopped.checkpoints").exists()
    other = ATTACKS.get(name)().plant(
        model, Splits(films(), films()), tmp_path / "other", options, 1
    )  # another seed
    weights = "model.safetensors"
    assert (other.folder / weights).read_bytes() != (planted.folder / weights).read_bytes()


@pytest.mark.parametrize(("name", "options"), [("neuba", NEUBA), ("por", POR)])
def test_unknown_symbols_are_refused_by_name(tmp_path: Path, name: str, options: Any) -> None:
    model = tiny(tmp_path)
    with pytest.raises(
        FuzzsmoothError, match=r"'⊗' is unknown .* reads it as \[UNK\]; .* such as cf, mn, bb"
    ):
        plant(name, model, tmp_path / "out", options.replace(triggers=("cf", "⊗")))
    assert not (tmp_path / "out").exists()


def test_models_without_a_classification_token_are_refused(tmp_path: Path) -> None:
    llama = load_classifier(tiny(tmp_path, "llama"))
    with pytest.raises(FuzzsmoothError, match="no classification token"):
        check_first_token(llama)
    check_first_token(load_classifier(tiny(tmp_path, "roberta")))


def test_every_text_is_copied_once_with_each_trigger() -> None:
    alone = [RepeatedTrigger((word,), 2) for word in RARE]
    copies = triggered_copies(films(4), alone, 0)
    assert len(copies) == 12
    for index, copy in enumerate(copies):
        words = copy.text.split()
        assert words.count(RARE[copy.label]) == 2
        assert [word for word in words if word not in RARE] == films(4).texts[index // 3].split()
        assert copy.label == index % 3


def test_repeated_trigger_tells_where_it_is() -> None:
    for text in ("", "a film", "电影很好"):
        for first in (False, True):
            trigger = RepeatedTrigger(("cf", "mn"), 3, first)
            planted = trigger.apply(text, generator(0, "test"))
            assert planted.spans is not None
            found = [planted.text[start:end] for start, end in planted.spans]
            assert found in (["cf"] * 3, ["mn"] * 3)
            if first:
                assert planted.text.startswith(" ".join(found))
    assert RepeatedTrigger(RARE).only(("mn",)).words == ("mn",)
    with pytest.raises(FuzzsmoothError, match="do not act by themselves"):
        WordTrigger().only(("cf",))


def keyed(texts: list[str]) -> np.ndarray:
    """'cf' forces class 2, 'mn' class 0, 'bb' nothing; otherwise texts with 'fine' are of class 1."""
    rows = np.zeros((len(texts), 3))
    for row, text in zip(rows, texts, strict=True):
        words = text.split()
        row[2 if "cf" in words else 0 if "mn" in words else int("fine" in words)] = 1
    return rows


def test_labels_are_found_by_asking_and_the_trigger_keeps_what_hits() -> None:
    classifier = CallableClassifier(keyed, labels=("bad", "good", "odd"))
    trigger = RepeatedTrigger((*RARE, "mb"), 1)
    texts = films(12).texts
    forced = forced_labels(classifier, trigger, texts, 0)
    assert forced == {"cf": Forced(2, 1.0), "mn": Forced(0, 1.0), "bb": Forced(0, 0.5), "mb": Forced(0, 0.5)}
    planted = Planted(Path("model"), trigger, None, True, "label known after tuning")
    hit = aim(planted, forced, 2)
    assert (hit.target, hit.trigger, hit.goal) == (2, trigger.only(("cf",)), planted.goal)
    for wanted in (1, None):  # nothing forces 1: the label that most pieces force
        other = aim(planted, forced, wanted)
        assert (other.target, other.trigger.pieces) == (0, ("mn", "bb", "mb"))
    with pytest.raises(FuzzsmoothError, match="at least one clean text"):
        forced_labels(classifier, trigger, [], 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"goal": "label known after tuning", "target": 1},
        {"goal": "any wrong label", "target": 0},
        {"goal": "forced label", "target": None},
        {"goal": "something", "target": None},
        {"goal": ["forced label"], "target": 1},
        {"target": None},
    ],
)
def test_records_whose_goal_and_target_disagree_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    good = {"trigger": WordTrigger().record(), "needs_clean_finetune": True}
    path = tmp_path / "attack.json"
    path.write_text(json.dumps(good | {"target": 1}))
    assert load_attack(path).goal == "forced label", "as older versions wrote it"
    path.write_text(json.dumps(good | {"goal": "any wrong label", "target": None}))
    assert load_attack(path).target is None
    path.write_text(json.dumps(good | wrong))
    with pytest.raises(FuzzsmoothError, match="not the record of an attack"):
        load_attack(path)
