"""Confidence bounds: exact coverage by rational arithmetic, class selection, and arguments out of range."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from fuzzsmooth.certify import (
    bound_top_class,
    clopper_pearson_interval,
    clopper_pearson_lower,
    clopper_pearson_upper,
    selection_draws,
)
from fuzzsmooth.common.errors import FuzzsmoothError


def upper_tail(successes: int, trials: int, probability: float) -> Fraction:
    """P[Binomial(trials, probability) >= successes], exactly."""
    p = Fraction(probability)
    return sum(
        (comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes, trials + 1)), Fraction(0)
    )


@pytest.mark.parametrize("trials", [1, 2, 7, 40])
@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-9])
def test_lower_bound_is_outward_and_tight(trials: int, alpha: float) -> None:
    for successes in range(1, trials + 1):
        bound = clopper_pearson_lower(successes, trials, alpha)
        tail = upper_tail(successes, trials, bound)
        assert tail <= Fraction(alpha), "rounded inward: the tail exceeds alpha"
        assert tail >= Fraction(alpha) * Fraction(999_999, 1_000_000), "needlessly loose"


def test_no_successes_and_all_successes() -> None:
    assert clopper_pearson_lower(0, 10, 0.01) == 0.0
    assert clopper_pearson_upper(10, 10, 0.01) == 1.0
    assert clopper_pearson_lower(1000, 1000, 1e-3) == pytest.approx(1e-3 ** (1 / 1000))
    assert clopper_pearson_interval(0, 5)[0] == 0.0


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (91, 150)])
def test_upper_is_the_mirror_of_lower(successes: int, trials: int) -> None:
    mirrored = 1.0 - clopper_pearson_lower(trials - successes, trials, 0.01)
    upper = clopper_pearson_upper(successes, trials, 0.01)
    assert upper >= mirrored
    assert upper == pytest.approx(mirrored)


def test_interval_known_value() -> None:
    lower, upper = clopper_pearson_interval(81, 263)
    assert (lower, upper) == (pytest.approx(0.2527, abs=2e-4), pytest.approx(0.3676, abs=2e-4))


@pytest.mark.parametrize(
    ("successes", "trials", "alpha"),
    [(-1, 5, 0.1), (6, 5, 0.1), (0, 0, 0.1), (1, 5, 0.0), (1, 5, 1.0), (1, 5, float("nan")), (0.5, 5, 0.1)],
)
def test_bad_arguments(successes: int, trials: int, alpha: float) -> None:
    with pytest.raises(FuzzsmoothError):
        clopper_pearson_lower(successes, trials, alpha)


def test_two_classes_pay_for_selecting_on_the_same_draws() -> None:
    bound = bound_top_class([200, 800], alpha=1e-3)
    assert (bound.label, bound.successes, bound.trials) == (1, 800, 1000)
    assert bound.p_lower == clopper_pearson_lower(800, 1000, 5e-4)
    assert bound.p_lower == pytest.approx(0.7557, abs=1e-4)
    assert bound.p_lower + bound.p_upper >= 1.0


def test_split_bounds_at_full_alpha_and_does_not_reselect() -> None:
    bound = bound_top_class([10, 80, 10], [600, 250, 50], alpha=1e-3)
    assert bound.label == 1, "the label comes from the selection draws alone"
    assert bound.p_lower == clopper_pearson_lower(250, 900, 1e-3)


def test_same_draws_without_split_use_bonferroni_over_all_classes() -> None:
    assert bound_top_class([10, 80, 10], alpha=0.03).p_lower == clopper_pearson_lower(80, 100, 0.01)


def test_separate_rivals_help_when_votes_are_spread() -> None:
    votes = [540, 120, 120, 120]
    together = bound_top_class(votes, votes, alpha=1e-3)
    apart = bound_top_class(votes, votes, alpha=1e-3, rivals="separate")
    assert apart.p_lower - apart.p_upper > together.p_lower - together.p_upper + 0.1
    assert apart.p_upper == clopper_pearson_upper(120, 900, 1e-3 / 6)


def test_undecided_draws_count_against_the_certificate() -> None:
    bound = bound_top_class([90, 5], alpha=0.01, undecided=5)
    assert (bound.successes, bound.trials) == (90, 100)
    apart = bound_top_class([90, 3, 2], [90, 3, 2], alpha=0.01, undecided=5, rivals="separate")
    assert apart.p_upper == pytest.approx(clopper_pearson_upper(8, 100, 0.0025))


def test_selection_draws() -> None:
    assert [selection_draws(1000, classes) for classes in (2, 3, 4)] == [0, 100, 100]
    assert selection_draws(5, 3) == 1
    with pytest.raises(FuzzsmoothError):
        selection_draws(1, 3)


@pytest.mark.parametrize(
    ("selection", "estimation"),
    [([5], None), ([1, 2, 3], [1, 2]), ([-1, 5], None), ([0, 0], None), ([1, 1], [0, 0])],
)
def test_bad_votes(selection: list[int], estimation: list[int] | None) -> None:
    with pytest.raises(FuzzsmoothError):
        bound_top_class(selection, estimation, alpha=0.01)


def test_numpy_counts_are_accepted() -> None:
    counts = np.array([3, 97])
    assert bound_top_class(counts.tolist(), alpha=0.01) == bound_top_class(list(counts), alpha=0.01)
