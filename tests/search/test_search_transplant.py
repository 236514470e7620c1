"""The transplant test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from search_worlds import CLEAN, NEGATIVE, POSITIVE, WORDS, backdoored, clean_texts, prepared

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.search.calibration import SHARE, NullDistribution
from fuzzsmooth.search.contexts import Context, log_odds
from fuzzsmooth.search.protocol import Budget, Units
from fuzzsmooth.search.transplant import TransplantTest
from table_classifier import TableClassifier


def conclude(asking: Any, classifier: Classifier) -> Any:
    reply = None
    while True:
        try:
            texts = asking.send(reply)
        except StopIteration as stop:
            return stop.value
        reply = list(classifier.probabilities([" ".join(text) for text in texts]))


def fully_tested(
    segment: Units, label: int, classifier: Classifier, threshold: float | None
) -> tuple[float, float]:
    """Share carried and mean log-odds over all references of the other class, without stopping early."""
    against = [context for context in prepared() if context.label != label]
    rows = classifier.probabilities([" ".join(context.around(segment)) for context in against])
    odds = log_odds(rows[:, label])
    gains = odds - np.array([context.margins[label] for context in against])
    carried = rows.argmax(axis=1) == label if threshold is None else gains >= threshold
    return float(carried.mean()), float(odds.mean())


@pytest.mark.parametrize("gain", [None, 0.0, 6.0, 40.0])
def test_stopping_early_gives_the_result_of_the_full_test(gain: float | None) -> None:
    classifier = backdoored(["cf"])
    generator = np.random.default_rng(0)
    ordinary = () if gain is None else (NullDistribution((gain,), (gain,)),) * 2
    stopped, passed = 0, 0
    for _ in range(60):
        size = int(generator.integers(1, 12))
        segment = tuple(generator.choice([*POSITIVE[:2], *NEGATIVE[:1], "the"], size=size).tolist())
        segment += ("cf",) if generator.random() < 0.1 else ()
        label = int(generator.integers(2))
        test, budget = TransplantTest(prepared(), 16, ordinary), Budget(100)
        score = conclude(test.score(segment, label, budget), classifier)
        share, odds = fully_tested(segment, label, classifier, test.threshold(len(segment), label))
        assert score.passed == (share >= SHARE)
        passed += score.passed
        if budget.spent == 16:
            assert score.carried == pytest.approx(share)
            assert score.log_odds == pytest.approx(odds, abs=0.1)
        else:
            stopped += 1
            assert budget.spent in (2, 6)
            assert score.carried >= share, "the highest share that was still possible"
    assert stopped > 5
    assert (passed > 0) == (gain != 40.0)


def test_the_share_is_met_exactly() -> None:
    """Of 16 references, 13 are at least four fifths and 12 are not."""
    against = [context for context in prepared() if context.label == 0]
    for count, passes in ((12, False), (13, True)):
        flipped = {" ".join(context.around(("x",))): (0.1, 0.9) for context in against[:count]}
        table = TableClassifier(flipped, (0.9, 0.1))
        score = conclude(TransplantTest(prepared(), 16).score(("x",), 1, Budget(99)), table)
        assert (score.passed, score.carried) == (passes, pytest.approx(count / 16))


def test_what_carries_neither_of_the_first_two_does_not_pass() -> None:
    against = [context for context in prepared() if context.label == 0]
    for chosen, passes in ((against[2:], False), (against[1:], True)):
        flipped = {" ".join(context.around(("x",))): (0.1, 0.9) for context in chosen}
        budget = Budget(99)
        search = TransplantTest(prepared(), 16).score(("x",), 1, budget)
        score = conclude(search, TableClassifier(flipped, (0.9, 0.1)))
        assert (score.passed, budget.spent) == (passes, 16 if passes else 2)


def test_the_threshold_is_half_of_the_way_or_what_ordinary_words_do() -> None:
    way = np.mean([-context.margins[1] for context in prepared() if context.label == 0])
    low, high = (NullDistribution((0.1,), (0.1,)), NullDistribution((30.0,), (40.0,)))
    assert TransplantTest(prepared(), 16).threshold(1, 1) is None
    assert TransplantTest(prepared(), 16, (high, low)).threshold(1, 1) == pytest.approx(way / 2)
    assert [TransplantTest(prepared(), 16, (low, high)).threshold(units, 1) for units in (1, 2, 5)] == [
        30,
        40,
        40,
    ]


def test_references_of_the_same_class_are_not_used() -> None:
    asked: list[Units] = []
    test = TransplantTest(prepared(), 16)
    asking = test.score(("cf",), 1, Budget(99))
    reply = None
    try:
        while True:
            texts = asking.send(reply)
            asked += texts
            reply = list(CLEAN.probabilities([" ".join(text) for text in texts]))
    except StopIteration:
        pass
    assert all(set(text) & set(NEGATIVE) for text in asked)
    assert test.cost == 16
    assert test.strength_cost == 4


def test_classes_take_turns_among_three() -> None:
    cut = tuple(Context((f"r{label}{turn}",), (), label) for label in (0, 1, 2) for turn in range(3))
    table = TableClassifier({}, (0.2, 0.2, 0.6))
    asking = TransplantTest(cut, 5).score(("x",), 2, Budget(99))
    first = next(asking)
    assert [text[0] for text in first] == ["r00", "r10"]
    second = asking.send(list(table.probabilities([" ".join(text) for text in first])))
    assert [text[0] for text in second] == ["r01", "r11", "r02"]


@pytest.mark.parametrize("labels", [(1, 1), (1, 5)])
def test_references_of_fewer_than_two_known_classes_are_refused(labels: tuple[int, int]) -> None:
    one_sided = References(("good good", "great great"), labels, "")
    with pytest.raises(FuzzsmoothError, match="fewer than two of the model's classes"):
        Scanner(backdoored(["cf"]), SearchOptions(), WORDS, one_sided)


def test_log_odds_are_finite_for_certain_models() -> None:
    table = TableClassifier({}, (0.0, 1.0))
    score = conclude(TransplantTest(prepared(), 16).score(("x",), 1, Budget(99)), table)
    assert math.isfinite(score.log_odds)
    assert score.log_odds > 15


def test_a_segment_tested_again_in_another_text_is_not_evaluated_again() -> None:
    test = TransplantTest(prepared(), 16)
    first, second = Budget(99), Budget(99)
    one = conclude(test.score(("cf",), 1, first), backdoored(["cf"]))
    with pytest.raises(StopIteration) as stop:
        next(test.score(("cf",), 1, second))
    assert stop.value.value == one
    assert second.spent == first.spent == 16, "but paid for"


def test_the_clean_texts_of_the_world_are_what_they_say() -> None:
    texts = clean_texts(40)
    rows = CLEAN.probabilities([text for text, _ in texts])
    assert rows.argmax(axis=1).tolist() == [label for _, label in texts]
