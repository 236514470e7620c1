"""Confidence bounds: exact coverage by rational arithmetic, and arguments out of range."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from fuzzsmooth.certify import (
    clopper_pearson_interval,
    clopper_pearson_lower,
    clopper_pearson_upper,
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
