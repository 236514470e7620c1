"""Mutations stay within their edit bound and inside their segment; rewards are divergences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein
from scipy.stats import entropy

from fuzzsmooth.search.mutations import delete_segment, mutate_segment
from fuzzsmooth.search.trials import bounded, kl_divergence

LEXICON = ("x", "y", "a")


@st.composite
def segments(draw: st.DrawFn) -> tuple[tuple[str, ...], int, int, int, int]:
    units = tuple(draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=14)))
    start = draw(st.integers(0, len(units) - 1))
    end = draw(st.integers(start + 1, len(units)))
    return units, start, end, draw(st.integers(1, 6)), draw(st.integers(0, 2**32))


@settings(max_examples=200, deadline=None)
@given(segments())
def test_mutations_stay_within_the_bound_and_the_segment(
    case: tuple[tuple[str, ...], int, int, int, int],
) -> None:
    units, start, end, max_edits, seed = case
    mutated = mutate_segment(units, start, end, max_edits, LEXICON, np.random.default_rng(seed))
    assert DamerauLevenshtein.distance(units, mutated) <= max_edits
    assert mutated[:start] == units[:start]
    assert mutated[len(mutated) - (len(units) - end) :] == units[end:]


@settings(max_examples=200, deadline=None)
@given(segments())
def test_deletions_stay_within_the_bound(case: tuple[tuple[str, ...], int, int, int, int]) -> None:
    units, start, end, max_edits, _ = case
    mutated = delete_segment(units, start, end, max_edits)
    assert DamerauLevenshtein.distance(units, mutated) == len(units) - len(mutated) <= max_edits
    if end - start > 1:
        assert mutated[:start] == units[:start]
        assert mutated[len(mutated) - (len(units) - end) :] == units[end:]
        assert len(units) - len(mutated) == min(max_edits, end - start)


def test_control_a_larger_bound_is_really_used() -> None:
    """The property above can fail: with bound 6, distances beyond 3 occur."""
    units = tuple("abcdabcdabcd")
    distances = {
        DamerauLevenshtein.distance(
            units, mutate_segment(units, 2, 10, 6, LEXICON, np.random.default_rng(seed))
        )
        for seed in range(100)
    }
    assert max(distances) > 3
    assert distances - {0} >= {1, 2, 3, 4}


def test_all_kinds_of_edits_occur() -> None:
    units = ("a", "b", "c", "d")
    results = {mutate_segment(units, 1, 3, 1, ("x",), np.random.default_rng(seed)) for seed in range(300)}
    assert ("a", "c", "b", "d") in results, "transposition"
    assert ("a", "x", "c", "d") in results, "substitution"
    assert ("a", "c", "d") in results, "deletion"
    assert {("a", "x", "b", "c", "d"), ("a", "b", "x", "c", "d"), ("a", "b", "c", "x", "d")} <= results
    assert len(results) == 1 + 2 + 2 + 3, "nothing else is one edit inside the segment"


def test_a_segment_may_be_deleted_to_nothing_and_still_be_mutated() -> None:
    for seed in range(200):
        mutated = mutate_segment(("a",), 0, 1, 5, ("x",), np.random.default_rng(seed))
        assert DamerauLevenshtein.distance(("a",), mutated) <= 1


def test_deleting_one_unit_deletes_its_copies_too() -> None:
    units = ("cf", "a", "cf", "b", "cf")
    assert delete_segment(units, 2, 3, 8) == ("a", "b")
    assert delete_segment(units, 2, 3, 2) == ("a", "b", "cf"), "the unit itself goes first"
    assert delete_segment(units, 2, 3, 1) == ("cf", "a", "b", "cf")
    assert delete_segment(units, 2, 4, 8) == ("cf", "a", "cf"), "a longer segment is only itself"


def test_a_long_segment_is_thinned_evenly() -> None:
    units = tuple(f"w{index}" for index in range(100))
    left = delete_segment(units, 0, 100, 5)
    gone = [index for index in range(100) if f"w{index}" not in left]
    assert gone == [0, 24, 49, 74, 99]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6), st.integers(0, 2**32))
def test_kl_is_the_divergence_of_scipy(weights: list[float], seed: int) -> None:
    one = np.array(weights) / sum(weights)
    two = np.random.default_rng(seed).dirichlet(np.full(len(weights), 2.0))
    assert kl_divergence(one, two) == pytest.approx(entropy(one, two), rel=1e-6, abs=1e-9)


def test_kl_is_directed_finite_and_never_negative() -> None:
    certain, even = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    assert kl_divergence(certain, even) == pytest.approx(math.log(2))
    assert kl_divergence(even, certain) > 10, "mutated comes first"
    assert math.isfinite(kl_divergence(np.array([0.0, 1.0]), certain))
    assert kl_divergence(even, even) == 0
    noisy = even + np.array([1e-16, -1e-16])
    assert kl_divergence(noisy, even) >= 0


def test_bounded_rewards() -> None:
    values = [bounded(value) for value in (0.0, 0.1, 1.0, 20.0)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] < 1
    assert values[2] == pytest.approx(1 - math.exp(-1))
