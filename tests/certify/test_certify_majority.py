"""The bound for two classes on the same draws; its error is checked in tests/guarantees."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from fuzzsmooth.certify import Majority, clopper_pearson_lower
from fuzzsmooth.certify.confidence.clopper_pearson import fewest_successes
from fuzzsmooth.common.errors import FuzzsmoothError


def tail(successes: int, trials: int, probability: Fraction) -> Fraction:
    """P[Binomial(trials, probability) >= successes], exactly."""
    return sum(
        (
            comb(trials, k) * probability**k * (1 - probability) ** (trials - k)
            for k in range(successes, trials + 1)
        ),
        Fraction(0),
    )


@pytest.mark.parametrize("trials", [7, 30])
@pytest.mark.parametrize("alpha", [0.05, 1e-3])
def test_the_bound_is_the_root_of_its_equation(trials: int, alpha: float) -> None:
    """In rational arithmetic: rounded outward, and not needlessly loose."""
    fewest = fewest_successes(0.5, trials, alpha / 2)
    assert (
        tail(fewest, trials, Fraction(1, 2)) <= Fraction(alpha) / 2 < tail(fewest - 1, trials, Fraction(1, 2))
    )
    for successes in range(trials + 1):
        bound = Majority().lower(successes, trials, alpha)
        if successes < fewest:
            assert bound == 0.0
            continue
        root = Fraction(bound)
        error = tail(successes, trials, root) + tail(fewest, trials, 1 - root)
        assert error <= Fraction(alpha)
        assert error >= Fraction(alpha) * Fraction(99, 100)


def test_it_lies_between_half_and_all_of_alpha() -> None:
    half, whole = (clopper_pearson_lower(800, 1000, alpha) for alpha in (5e-4, 1e-3))
    assert half < Majority().lower(800, 1000, 1e-3) == pytest.approx(whole, abs=1e-12)
    near = [clopper_pearson_lower(553, 1000, alpha) for alpha in (5e-4, 1e-3)]
    assert near[0] < Majority().lower(553, 1000, 1e-3) < near[1]


def test_a_class_that_cannot_lose_or_win() -> None:
    """What was enumerated may already have decided: all of alpha, or no claim at all."""
    assert Majority(-0.2, 1.4).lower(30, 100, 0.01) == clopper_pearson_lower(30, 100, 0.01)
    assert Majority(-0.2, 1.4).lower(0, 100, 0.01) == 0.0
    assert Majority(1.4, -0.2).lower(100, 100, 0.01) == 0.0
    assert fewest_successes(0.0, 10, 0.1) == 0
    assert fewest_successes(1.0, 10, 0.1) == 11
    assert fewest_successes(0.99, 10, 0.1) == 11


def test_bad_arguments() -> None:
    with pytest.raises(FuzzsmoothError, match="cannot both exceed"):
        Majority(0.4, 0.5)
    for bad in ((5, 4, 0.1), (1, 0, 0.1), (1, 4, 0.0), (1, 4, 1.0)):
        with pytest.raises(FuzzsmoothError):
            Majority().lower(*bad)


def test_bounds_grow_with_the_count() -> None:
    for majority in (Majority(), Majority(0.3, 0.8), Majority(0.8, 0.3)):
        bounds = [majority.lower(count, 200, 0.01) for count in range(201)]
        assert (np.diff(bounds) >= 0).all()
