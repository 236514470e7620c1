"""Confidence bounds on class probabilities from vote counts (Clopper and Pearson, Biometrika 1934).

Every bound is rounded outward: a lower bound is never above, an upper bound never below, the exact value.
"""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex

from scipy.special import betaincinv

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require

# The inverse incomplete beta function is accurate to about 1e-13 relative; this margin is far outside it.
_OUTWARD = 1e-10


def clopper_pearson_lower(successes: int, trials: int, alpha: float) -> float:
    """One-sided exact lower confidence bound on a binomial probability.

    Args:
        successes: Number of successes, 0..trials; zero successes give the bound 0.
        trials: Number of independent trials, >= 1.
        alpha: Probability with which the bound may fail, in (0, 1).

    Returns:
        A number in [0, 1) that is at most the true probability, except with probability ``alpha``.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    successes, trials = _checked_counts(successes, trials)
    check_alpha(alpha)
    if successes == 0:
        return 0.0
    return float(betaincinv(successes, trials - successes + 1, alpha)) * (1.0 - _OUTWARD)


def clopper_pearson_upper(successes: int, trials: int, alpha: float) -> float:
    """One-sided exact upper confidence bound on a binomial probability; the mirror of the lower bound.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    successes, trials = _checked_counts(successes, trials)
    return complement_upper(clopper_pearson_lower(trials - successes, trials, alpha))


def clopper_pearson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided exact confidence interval, for measured rates such as clean accuracy.

    Args:
        successes: Number of successes, 0..trials.
        trials: Number of independent trials, >= 1.
        confidence: Coverage of the interval, in (0, 1); each side fails with half of the rest.

    Returns:
        (lower, upper), both in [0, 1].

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    require(0.0 < confidence < 1.0, f"confidence must lie strictly between 0 and 1, got {confidence!r}")
    half = (1.0 - confidence) / 2.0
    return clopper_pearson_lower(successes, trials, half), clopper_pearson_upper(successes, trials, half)


def complement_upper(p_lower: float) -> float:
    """1 - p_lower, rounded up: an upper bound on every probability that shares the simplex with it."""
    return min(1.0, math.nextafter(1.0 - p_lower, math.inf)) if p_lower > 0.0 else 1.0


def check_alpha(alpha: float) -> None:
    """Raise unless ``alpha`` is a usable failure probability, strictly between 0 and 1."""
    require(0.0 < alpha < 1.0, f"alpha must lie strictly between 0 and 1, got {alpha!r}")


def _checked_counts(successes: SupportsIndex, trials: SupportsIndex) -> tuple[int, int]:
    try:
        successes, trials = operator.index(successes), operator.index(trials)
    except TypeError as error:
        raise FuzzsmoothError(
            f"successes and trials must be whole numbers, got {successes!r} of {trials!r}"
        ) from error
    require(trials >= 1, f"a confidence bound needs at least one trial, got {trials}")
    require(0 <= successes <= trials, f"successes must lie in 0..{trials}, got {successes}")
    return successes, trials
