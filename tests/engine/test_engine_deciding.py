"""Answers from logits: unsure near the empty text's, undecided near where the answer changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from defended import options_for
from fuzzsmooth.certify import UNDECIDED
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses import defend
from fuzzsmooth.engine.deciding import UNSURE, Unsure, drawn, shares
from fuzzsmooth.engine.evaluation import decide
from fuzzsmooth.models import CallableClassifier, build_tiny, load_classifier
from table_classifier import TableClassifier


def test_logits_are_relative_to_those_of_the_empty_text() -> None:
    near = Unsure((2.0, -1.0), 0.5)
    logits = np.array([[2.0, -1.0], [2.4, -1.0], [2.6, -1.0], [2.0, 0.0], [0.0, -0.5]], dtype=np.float32)
    assert decide(logits, 0.0, near).tolist() == [UNSURE, UNSURE, 0, 1, 1]
    assert decide(logits, 0.0).tolist() == [0, 0, 0, 0, 0]
    assert decide(logits, 0.2, near).tolist() == [UNSURE, UNDECIDED, UNDECIDED, 1, 1]
    assert decide(np.empty((0, 2)), 0.1, near).tolist() == []


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_what_is_decided_rounding_does_not_change(classes: int) -> None:
    """Deviations of any margin within the band leave every decided answer, and every unsure one, as it is."""
    source, band = generator(0, "deciding"), 0.1
    center = Unsure(tuple(source.normal(size=classes)), 0.3)
    logits = np.array(center.center) + source.normal(scale=0.4, size=(4000, classes))
    decided = decide(logits, band, center)
    settled = decided != UNDECIDED
    assert 0.1 < np.mean(decided == UNSURE) < 0.9
    for _ in range(20):
        moved = logits + source.uniform(-band / 2, band / 2, size=logits.shape)
        assert (decide(moved, 0.0, center) == decided)[settled].all()
        assert not (decide(moved, 0.0, center) == decide(logits, 0.0, center)).all(), "control"


def test_unsure_answers_are_drawn_by_address_and_shared_where_enumerated() -> None:
    answers = np.array([0, UNSURE, UNDECIDED, 2] * 3000)
    draws = range(50, 50 + len(answers))
    found = drawn(answers, 3, 1, "certify", 99, draws)
    assert (found[answers != UNSURE] == answers[answers != UNSURE]).all()
    coins = found[answers == UNSURE]
    assert np.abs(np.bincount(coins, minlength=3) / 3000 - 1 / 3).max() < 4 * (2 / 9 / 3000) ** 0.5
    later = drawn(answers[400:], 3, 1, "certify", 99, draws[400:])
    assert (later == found[400:]).all(), "whatever is asked together"
    for other in (drawn(answers, 3, 2, "certify", 99, draws), drawn(answers, 3, 1, "certify", 98, draws)):
        assert 0.2 < np.mean(other[answers == UNSURE] == coins) < 0.5
    assert shares(answers[:4], 3).tolist() == [[1, 0, 0], [1 / 3] * 3, [0, 0, 0], [0, 0, 1]]


class Leaning(TableClassifier):
    """Says what a telling word says, and leans to class 1 where there is none."""

    def __init__(self) -> None:
        super().__init__({}, (0.45, 0.55))

    def probabilities(self, texts):
        told = [text.split().count("awful") - text.split().count("fine") for text in texts]
        odds = np.array([0.2 - 3.0 * one for one in told])
        high = 1 / (1 + np.exp(-odds))
        return np.stack([1 - high, high], axis=1)


TEXT = "this was in every way an awful film and an awful evening that one would rather not have seen at all"


def test_a_class_that_the_model_does_not_lean_to_is_answered_and_certified() -> None:
    leaning = defend(Leaning(), options_for("deletion", fuzzing=False, rate=0.9))
    telling = defend(Leaning(), options_for("deletion", fuzzing=False, rate=0.9, unsure_margin=0.1))
    assert [leaning.predict([TEXT])[0].label, leaning.certify([TEXT])[0].label] == [1, 1]
    answer = telling.predict([TEXT])[0]
    assert (answer.label, answer.votes[1], answer.undecided) == (0, 0, 0)
    assert answer.passes == 100 == sum(answer.votes) + answer.unsure > sum(answer.votes)
    assert answer.to_json()["unsure"] == answer.unsure
    certified = telling.certify([TEXT])[0]
    assert certified.label == 0
    assert certified.certificates[0].radius >= 0
    nothing = telling.predict(["it was a film"])[0]
    assert (nothing.label, nothing.status, nothing.votes, nothing.score) == (None, "abstain", (0, 0), 0.0)
    short = telling.certify(["it was a film"])[0]
    assert (short.label, short.statistics, short.unsure, short.undecided) == (None, "exact", 16, 0)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(FuzzsmoothError, match="weight distance cannot be certified with an unsure_margin"):
        options_for("deletion", fuzzing=False, sigma=0.01, weight_distance=0.1, unsure_margin=0.1)
    by_chance = TableClassifier({}, (0.4, 0.6))
    by_chance.deterministic = False
    with pytest.raises(FuzzsmoothError, match="relative to what the classifier answered once"):
        defend(by_chance, options_for("deletion", fuzzing=False, unsure_margin=0.1))
    sure = TableClassifier({"": (0.0, 1.0)}, (0.5, 0.5))
    with pytest.raises(FuzzsmoothError, match="rules out a class for the empty text"):
        defend(sure, options_for("deletion", fuzzing=False, unsure_margin=0.1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_tiny("bert", tmp_path_factory.mktemp("tiny"), vocabulary=[f"w{at}" for at in range(30)]))


def test_a_model_of_token_ids_answers_as_one_of_strings_and_in_float32(folder: str) -> None:
    """Whatever way it is asked, the same remainders are unsure; -2 is remembered as any answer is."""
    source = generator(1, "texts")
    texts = [" ".join(f"w{at}" for at in source.integers(30, size=9)) for _ in range(12)]
    model = load_classifier(folder)

    def told(classifier, **options):
        given = options_for("deletion", fuzzing=False, rate=0.5, draws=200, statistics="fixed", **options)
        return [answer.votes for answer in defend(classifier, given).certify(texts)]

    lead = np.abs(np.diff(model.logits_of_texts(texts) - model.logits_of_texts([""]), axis=1))
    margin = float(np.median(lead))
    votes = told(model, unsure_margin=margin)
    strings = CallableClassifier(model.probabilities, model.labels, deterministic=True)
    assert told(strings, unsure_margin=margin) == votes
    assert told(model.in_precision("bfloat16"), unsure_margin=margin) == votes
    assert told(model) != votes, "control: some are unsure"
    asked = defend(model, options_for("deletion", fuzzing=False, rate=0.5, unsure_margin=margin))
    once = [answer.votes for answer in asked.predict(texts)]
    assert [answer.votes for answer in asked.predict(texts)] == once
    with torch.no_grad():
        model.model.classifier.bias += torch.tensor([0.0, 5.0])
    model.refresh()
    assert [answer.votes for answer in asked.predict(texts)] == once, "the lean of all answers is taken off"


@pytest.mark.parametrize("copies", [None, 3])
def test_parameter_noise_is_about_the_center_of_the_quiet_model(folder: str, copies: int | None) -> None:
    options = options_for(
        "deletion", fuzzing=False, rate=0.5, sigma=0.05, noisy_copies=copies, unsure_margin=0.05, draws=50
    )
    answer = defend(load_classifier(folder), options).certify(["w1 w2 w3 w4 w5"])[0]
    assert sum(answer.votes) + answer.undecided == answer.passes
