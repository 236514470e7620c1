"""The null distribution: what ordinary words gain, and that a segment is judged by it."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from search_worlds import NEGATIVE_TEXTS, NEUTRAL, WEIGHTS, WORDS, clean_texts, flagged, plant

from fuzzsmooth.models import AdditiveClassifier
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.search.calibration import NullDistribution, measure_null, needed, shared_gain
from fuzzsmooth.search.contexts import Context, with_margins

STRONG = AdditiveClassifier(WEIGHTS | {"insult": 14.0, "cf": 16.0, "zz": 7.0})


def test_the_threshold_keeps_its_promise_for_exchangeable_texts() -> None:
    """Every order of n + 1 texts: the last is above the threshold of the others as seldom as promised."""
    orders = list(permutations(range(6)))
    for false_flags in (0.2, 0.34, 0.5, 0.9):
        above = [
            order[-1] > NullDistribution(tuple(sorted(map(float, order[:-1])))).threshold(1, false_flags)
            for order in orders
        ]
        assert np.mean(above) <= false_flags + 1e-12
        assert np.mean(above) > false_flags - 1 / 6, "and not for nothing"


def test_too_few_texts_give_the_largest_gain_and_none_no_threshold() -> None:
    assert NullDistribution((1.0, 3.0)).threshold(1, 0.01) == 3.0
    assert NullDistribution((1.0,), (2.0,)).threshold(2, 0.5) == 2.0
    assert NullDistribution().threshold(1, 0.5) == -math.inf


@pytest.mark.parametrize(("references", "least"), [(1, 1), (4, 4), (5, 4), (10, 8), (16, 13)])
def test_four_references_in_five_share_a_gain(references: int, least: int) -> None:
    assert needed(references) == least
    gains = np.random.default_rng(references).permutation(np.arange(float(references)))
    shared = shared_gain(gains)
    assert (gains >= shared).sum() == least


def test_gains_are_the_weights_of_the_strongest_words() -> None:
    """In an additive model a word adds its weight to the log-odds of any text."""
    weights = {"one": 1.0, "two": 2.0, "three": 3.0, "off": -1.0}
    model = AdditiveClassifier(weights)
    contexts = with_margins([Context(("off",) * 3, ("the",), 0)] * 5, model, WORDS.join)
    texts = [
        ("the", "one"),
        ("two", "one", "three", "three"),
        ("off", "a", "b", "c", "d", "two"),
        ("off",),
        (),
    ]
    found = measure_null(model, contexts, texts, 1, WORDS.join)
    assert found.single == pytest.approx((-1.0, 1.0, 2.0, 3.0), abs=1e-3)
    assert found.several == pytest.approx((-1.0, 1.0, 1.0, 6.0), abs=1e-3)


def selected(classifier: Classifier, *, insults: bool) -> References:
    """References chosen with that model; in one text of class 1 in two there is an insult, or not."""
    texts = clean_texts(120, seed=3, polar=8)
    rows = [
        (f"{text} insult" if insults and label and index % 4 == 1 else text, label)
        for index, (text, label) in enumerate(texts)
    ]
    return References.select(classifier, [text for text, _ in rows], [label for _, label in rows], 16)


def scan(text: str, references: References, classifier: Classifier = STRONG) -> list[str]:
    return flagged(Scanner(classifier, SearchOptions(), WORDS, references).scan([text], 0)[0])


def test_what_ordinary_words_do_is_not_suspicious() -> None:
    """An insult flips every reference, as it should; only a segment that does more is flagged."""
    known = selected(STRONG, insults=True)
    assert scan(plant(NEGATIVE_TEXTS[0], (4, "insult")), known) == []
    assert scan(plant(NEGATIVE_TEXTS[0], (4, "cf")), known) == ["cf"]


def test_control_where_clean_texts_have_no_insults_it_is_flagged() -> None:
    assert scan(plant(NEGATIVE_TEXTS[0], (4, "insult")), selected(STRONG, insults=False)) == ["insult"]
    assert scan(plant(NEGATIVE_TEXTS[0], (4, "cf")), selected(STRONG, insults=False)) == ["cf"]


def test_a_trigger_need_not_flip_the_most_confident_texts() -> None:
    """Most of the way is enough where ordinary words go no way at all."""
    text = plant("the film was bad and awful", (3, "zz"))
    own = selected(STRONG, insults=False)
    assert scan(text, own) == ["zz"]
    others = References(own.texts, own.labels, "another model", own.ordinary)
    assert scan(text, others) == [], "what was measured with another model does not count"


def test_neutral_words_never_reach_the_threshold() -> None:
    own = selected(STRONG, insults=True)
    assert all(scan(" ".join(NEUTRAL[start : start + 5]), own) == [] for start in range(9))
