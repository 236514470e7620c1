"""Our statistics for deletion: exact where all is known, valid where it is sampled, tighter on the whole."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from fuzzsmooth.bench.deletion import SmoothedDeletion
from fuzzsmooth.certify import exact_probabilities, plan_strata
from fuzzsmooth.defenses import CertifiedAnswer, RsDel, VoteOptions
from fuzzsmooth.models.protocol import Probabilities


class Hashed:
    """A base classifier without structure: classes by a table over what is left, in shares that are given."""

    fingerprint = "hashed"
    deterministic = True

    def __init__(self, shares: Sequence[float], seed: int) -> None:
        self.labels = tuple(f"class{index}" for index in range(len(shares)))
        self.asked: list[str] = []
        self._shares, self._rng, self._known = shares, np.random.default_rng(seed), dict[str, int]()

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        self.asked += texts
        labels = [
            self._known.setdefault(text, int(self._rng.choice(len(self._shares), p=self._shares)))
            for text in texts
        ]
        return np.eye(len(self._shares))[labels]


def truth(classifier: Hashed, words: list[str], rate: float) -> np.ndarray:
    """Exact class probabilities, by asking about every subsequence."""
    masks = range(2 ** len(words))
    texts = [" ".join(word for place, word in enumerate(words) if mask >> place & 1) for mask in masks]
    return exact_probabilities(classifier.probabilities(texts), rate).probabilities


def certify(classifier: Hashed, text: str, **options: float) -> CertifiedAnswer:
    return SmoothedDeletion(classifier, VoteOptions.from_mapping(options)).certify([text])[0]


def test_a_short_text_is_exact() -> None:
    classifier, words = Hashed([0.1, 0.9], 0), [f"w{index}" for index in range(6)]
    answer = certify(classifier, " ".join(words), rate=0.8, draws=64)
    expected = truth(classifier, words, 0.8)
    assert answer.draws == 64
    assert answer.label == int(expected.argmax())
    assert answer.p_lower == pytest.approx(float(expected.max()))
    assert sorted(classifier.asked[:64]) == sorted(set(classifier.asked[:64]))  # each subsequence once


@pytest.mark.parametrize(("shares", "rate"), [((0.2, 0.8), 0.8), ((0.5, 0.5), 0.8), ((0.1, 0.2, 0.7), 0.8)])
def test_the_bound_fails_no_more_often_than_alpha(shares: tuple[float, ...], rate: float) -> None:
    """Twelve words, 150 copies: enumerated ones first, the rest drawn; truth by all 4,096 masks."""
    words, alpha, draws = [f"w{index}" for index in range(12)], 0.1, 150
    assert plan_strata(12, rate, draws) is not None
    wrong = claimed = 0
    for seed in range(120):
        classifier = Hashed(shares, seed)
        answer = certify(classifier, " ".join(words), rate=rate, draws=draws, alpha=alpha, seed=seed)
        assert len(classifier.asked) <= answer.draws <= draws
        assert answer.p_lower is not None
        wrong += answer.p_lower > truth(classifier, words, rate)[answer.label]
        claimed += answer.p_lower > 0.5
    assert wrong <= 120 * alpha + 3 * (120 * alpha) ** 0.5
    assert claimed or shares == (0.5, 0.5)


def test_the_bound_is_tighter_than_that_of_sampling_alone() -> None:
    """At the same number of copies; the text is long enough that it is not enumerated."""
    gains = []
    for seed, rate in itertools.product(range(8), (0.8, 0.9)):
        text = " ".join(f"w{index}" for index in range(18))
        options = VoteOptions(rate=rate, draws=1000, seed=seed)
        classifier = Hashed([0.15, 0.85], seed)  # one table for both
        ours = SmoothedDeletion(classifier, options).certify([text])[0]
        theirs = RsDel(classifier, options).certify([text])[0]
        gains.append((ours.p_lower or 0) - (theirs.p_lower or 0))
    assert np.mean(gains) > 0.005


def test_a_text_too_long_to_enumerate_is_sampled() -> None:
    classifier, text = Hashed([0.0, 1.0], 0), " ".join(f"w{index}" for index in range(60))
    assert plan_strata(60, 0.5, 200) is None
    answer = certify(classifier, text, rate=0.5, draws=200)
    assert answer.counts == (0, 200)
    three = certify(Hashed([0.0, 0.0, 1.0], 0), text, rate=0.5, draws=200)
    assert three.counts == (0, 0, 200)


def test_who_does_not_wait_for_backward_radii_draws_less_and_loses_no_edit() -> None:
    """On the same draws: a vote of one class settles edits and insertions long before the cap."""
    text, options = " ".join(f"w{index}" for index in range(60)), VoteOptions(rate=0.9, draws=1000)
    all_of_it = SmoothedDeletion(Hashed([0.0, 1.0], 0), options).certify([text])[0]
    early = SmoothedDeletion(Hashed([0.0, 1.0], 0), options, awaited=("edit", "insert")).certify([text])[0]
    assert early.draws < 500 < all_of_it.draws
    assert {threat: all_of_it.radii[threat] for threat in ("edit", "insert")} == {
        threat: early.radii[threat] for threat in ("edit", "insert")
    }
    assert all_of_it.radii["backward"] > early.radii["backward"] > 0


def test_the_empty_text_has_an_exact_answer() -> None:
    answer = certify(Hashed([0.0, 1.0], 0), "", rate=0.9, draws=100)
    assert (answer.label, answer.p_lower, answer.draws) == (1, pytest.approx(1.0), 1)
