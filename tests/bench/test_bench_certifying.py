"""What the shipped defenses certify, as the records have it: exact, valid, and by brute force."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzsmooth.bench.certifying import Certified, by_scattered, by_vote, by_windows
from fuzzsmooth.certify import (
    Family,
    MaskOracle,
    contiguous_up_to,
    exact_probabilities,
    plan_strata,
    scattered,
    two_round_ablation,
)
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.deletion import Deletion
from fuzzsmooth.defenses.rs_del import RsDel
from fuzzsmooth.defenses.windows import Windows
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.models.protocol import Classifier, Probabilities

THREATS = ("edit", "insert", "backward")
CONTIGUOUS = "contiguous_insert"


class Hashed:
    """A base classifier without structure: classes by a table over what is left, in shares that are given."""

    fingerprint = "hashed"
    deterministic = True

    def __init__(self, shares: Sequence[float], seed: int) -> None:
        self.labels = tuple(f"class{index}" for index in range(len(shares)))
        self.asked: list[str] = []
        self._shares, self._rng, self._known = shares, np.random.default_rng(seed), dict[str, int]()

    def label(self, words: Sequence[str]) -> int:
        draw = int(self._rng.choice(len(self._shares), p=self._shares))
        return self._known.setdefault(" ".join(words), draw)

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        self.asked += texts
        return np.eye(len(self._shares))[[self.label(text.split()) for text in texts]]


def truth(classifier: Hashed, words: list[str], rate: float) -> np.ndarray:
    """Exact class probabilities, by asking about every subsequence."""
    masks = range(2 ** len(words))
    texts = [" ".join(word for place, word in enumerate(words) if mask >> place & 1) for mask in masks]
    return exact_probabilities(classifier.probabilities(texts), rate).probabilities


def certify(classifier: Classifier, text: str, **options: Any) -> Certified:
    return by_vote(Deletion(classifier, {"fuzzing": False, "awaited": THREATS} | options))(text)


def test_a_short_text_is_exact() -> None:
    classifier, words = Hashed([0.1, 0.9], 0), [f"w{index}" for index in range(6)]
    answer = certify(classifier, " ".join(words), rate=0.8, draws=64)
    expected = truth(classifier, words, 0.8)
    assert answer.draws == 64
    assert answer.label == int(expected.argmax())
    assert answer.p_lower == pytest.approx(float(expected.max()))
    assert sorted(classifier.asked[:64]) == sorted(set(classifier.asked[:64]))  # each subsequence once
    assert (answer.guarantee, answer.guard) == ("proved", 0.0)


@pytest.mark.parametrize(
    ("shares", "rate"),
    [
        ((0.1, 0.2, 0.7), 0.8),
        pytest.param((0.2, 0.8), 0.8, marks=pytest.mark.slow),
        pytest.param((0.5, 0.5), 0.8, marks=pytest.mark.slow),
    ],
)
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
        assert answer.label is not None
        wrong += answer.p_lower > truth(classifier, words, rate)[answer.label]
        claimed += answer.p_lower > 0.5
    assert wrong <= 120 * alpha + 3 * (120 * alpha) ** 0.5
    assert claimed or shares == (0.5, 0.5)


def test_the_bound_is_tighter_than_that_of_sampling_alone() -> None:
    """At the same number of copies; the text is long enough that it is not enumerated."""
    gains = []
    for seed, rate in itertools.product(range(8), (0.8, 0.9)):
        text = " ".join(f"w{index}" for index in range(18))
        options = {"rate": rate, "draws": 1000, "seed": seed}
        classifier = Hashed([0.15, 0.85], seed)  # one table for both
        ours = certify(classifier, text, **options)
        theirs = by_vote(RsDel(classifier, options))(text)
        assert theirs.draws == 1000 >= ours.draws
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
    text, options = " ".join(f"w{index}" for index in range(60)), {"rate": 0.9, "draws": 1000}
    all_of_it = certify(Hashed([0.0, 1.0], 0), text, **options)
    early = certify(Hashed([0.0, 1.0], 0), text, **options, awaited=("edit", "insert"))
    assert early.draws < 500 < all_of_it.draws
    assert {threat: all_of_it.radii[threat] for threat in ("edit", "insert")} == {
        threat: early.radii[threat] for threat in ("edit", "insert")
    }
    assert all_of_it.radii["backward"] > early.radii["backward"] > 0


def test_the_empty_text_has_an_exact_answer() -> None:
    answer = certify(Hashed([0.0, 1.0], 0), "", rate=0.9, draws=100)
    assert (answer.label, answer.p_lower, answer.draws) == (1, pytest.approx(1.0), 1)


def test_a_vote_that_certifies_nothing_still_names_its_winner() -> None:
    """A coin: the one telling word stays or goes, no radius is claimed; the record has the vote's label."""
    coin = Hashed([0.5, 0.5], 0)
    assert {coin.label([]), coin.label(["x"])} == {0, 1}
    answer = by_vote(RsDel(coin, {"rate": 0.5, "draws": 400}))("x")
    assert answer.label == int(np.argmax(answer.counts))
    assert dict(answer.radii) == {}


def table(share: float, seed: int) -> Hashed:
    """Random labels for every text over a small vocabulary."""
    return Hashed([1 - share, share], seed)


def windows(classifier: Classifier) -> Windows:
    return Windows(classifier, {"fuzzing": False})


def answered(known: Hashed, received: Sequence[str], family: Family) -> int | None:
    """The procedure by itself, on the table."""

    def ask(masks: Sequence[int]) -> list[int]:
        return [known.label([word for i, word in enumerate(received) if mask >> i & 1]) for mask in masks]

    return two_round_ablation(MaskOracle(ask, len(received)), family).label


def test_the_radius_is_the_longest_harmless_window() -> None:
    seen = set()
    for seed in range(60):
        known = table(0.93, seed)
        words = [f"w{index}" for index in range(7)]
        answer = by_windows(windows(known), 4)(" ".join(words))
        base = known.label(words)
        harmless = [
            all(known.label(words[:start] + words[start + size :]) == base for start in range(8 - size))
            for size in range(1, 5)
        ]
        expected = next((size for size, fine in enumerate(harmless) if not fine), 4)
        assert dict(answer.radii) == {CONTIGUOUS: expected}
        assert answer.label == answered(known, words, contiguous_up_to(1))
        assert answer.label == base or expected == 0
        assert (answer.draws, answer.p_lower, answer.guarantee) == (0, None, "proved")
        seen.add(expected)
    assert seen == {0, 1, 2, 3, 4}


def test_no_trigger_up_to_the_radius_changes_the_procedure() -> None:
    """Every inserted piece over the alphabet, one letter of which the text does not have."""
    checked = beyond = 0
    for seed in range(25):
        known, words = table(0.9, seed), ["a", "b", "a", "b"]
        answer = by_windows(windows(known), 2)(" ".join(words))
        longest = answer.radii[CONTIGUOUS]
        for size, place in itertools.product(range(1, 3), range(5)):
            for piece in itertools.product("abz", repeat=size):
                received = [*words[:place], *piece, *words[place:]]
                label = answered(known, received, contiguous_up_to(max(1, longest)))
                if size <= longest:
                    assert label == answer.label
                    checked += 1
                else:
                    beyond += label != answer.label
    assert checked > 300
    assert beyond > 0, "control: beyond the radius the answer does change"


class Counting:
    """Keeps the sequences that a model of token ids is given."""

    fixed_shapes = True  # so that no rounding band is measured

    def __init__(self, inner: Any) -> None:
        self.inner, self.rows = inner, list[bytes]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def reproducible(self) -> Any:
        return self  # so that it is asked itself, and not a twin of what it wraps

    def logits(self, ids: Any, **more: Any) -> Any:
        self.rows += [row.tobytes() for row in ids]
        return self.inner.logits(ids, **more)


@pytest.mark.parametrize("how", ["windows", "scattered"])
def test_a_model_is_asked_about_each_remainder_once(how: str, tmp_path: Path) -> None:
    """However many procedures are asked: they share what they remember."""
    words = [f"w{index}" for index in range(8)]
    inner = load_classifier(str(build_tiny("bert", tmp_path / "tiny", vocabulary=words, hidden=16, layers=1)))
    inner.model.classifier.bias.data[1] += 100.0  # one answer whatever is left: all procedures are asked
    inner.refresh()
    counting = Counting(inner)
    certifier = by_windows(windows(counting), 4) if how == "windows" else by_scattered(windows(counting))
    radii = dict(certifier(" ".join(words)).radii)
    assert radii == ({CONTIGUOUS: 4} if how == "windows" else {"edit": 1, "insert": 2})
    assert len(counting.rows) == len(set(counting.rows)) > 25


def test_no_scattered_change_within_the_radii_changes_the_procedure() -> None:
    """Every edit and every one or two insertions over an alphabet, one letter of which the text lacks."""
    checked, seen = 0, set()
    for seed in range(40):
        known, words = table(0.93, seed), ["a", "b", "a", "b"]
        answer = by_scattered(windows(known))(" ".join(words))
        seen.add((answer.radii["edit"], answer.radii["insert"]))
        longer = [words]
        for reach in range(1, answer.radii["insert"] + 1):
            longer = [
                [*text[:place], letter, *text[place:]]
                for text in longer
                for place in range(len(text) + 1)
                for letter in "abz"
            ]
            for received in longer:
                assert answered(known, received, scattered(reach)) == answer.label
                checked += 1
        if answer.radii["edit"]:
            edited = [[*words[:place], *words[place + 1 :]] for place in range(4)]
            edited += [[*words[:i], letter, *words[i + 1 :]] for i in range(4) for letter in "abz"]
            edited += [[*words[:i], letter, *words[i:]] for i in range(5) for letter in "abz"]
            edited += [[*words[:i], words[i + 1], words[i], *words[i + 2 :]] for i in range(3)]
            for received in edited:
                assert answered(known, received, scattered(1)) == answer.label
                checked += 1
    assert checked > 1000
    assert seen == {(0, 0), (0, 1), (1, 2)}


def test_a_trigger_of_no_words_is_no_question() -> None:
    with pytest.raises(FuzzsmoothError, match="at least 1 word"):
        by_windows(windows(table(0.5, 0)), 0)
