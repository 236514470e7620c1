"""Confidence bounds on class probabilities from vote counts (Clopper and Pearson, Biometrika 1934).

Every bound is rounded outward: a lower bound is never above, an upper bound never below, the exact value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, SupportsIndex

from scipy.special import betaincinv

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require

# The inverse incomplete beta function is accurate to about 1e-13 relative; this margin is far outside it.
_OUTWARD = 1e-10

# Share of the draws that only select the label when there are three or more classes: selecting is easy,
# bounding is what needs draws, so an even split would waste half of them.
_SELECTION_SHARE = 10

Rivals = Literal["complement", "separate"]


@dataclass(frozen=True)
class TopClassBound:
    """The selected class with confidence bounds that hold together with probability 1 - alpha.

    Attributes:
        label: Index of the selected class.
        p_lower: Lower bound on its probability, in [0, 1].
        p_upper: Upper bound on the probability of every other class, in [0, 1].
        successes: Votes for ``label`` among the draws the bound was computed from.
        trials: Number of those draws.
    """

    label: int
    p_lower: float
    p_upper: float
    successes: int
    trials: int


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


def selection_draws(draws: int, classes: int) -> int:
    """How many of ``draws`` should only select the label: none for two classes, a tenth for more.

    With two classes the same draws select and bound, at alpha / 2. With three or more a separate selection
    sample costs less than dividing alpha by the number of classes.

    Raises:
        FuzzsmoothError: If there are fewer than two classes, or too few draws to split.
    """
    require(classes >= 2, f"a certificate needs at least two classes, got {classes}")
    require(draws >= 1, f"a certificate needs at least one draw, got {draws}")
    if classes == 2:
        return 0
    require(
        draws >= 2,
        f"with {classes} classes at least 2 draws are needed (one selects, one bounds), got {draws}",
    )
    return max(1, draws // _SELECTION_SHARE)


def bound_top_class(
    selection_counts: Sequence[int],
    estimation_counts: Sequence[int] | None = None,
    *,
    alpha: float,
    undecided: int = 0,
    rivals: Rivals = "complement",
) -> TopClassBound:
    """Select the top class and bound its probability and that of its rivals.

    Args:
        selection_counts: Votes per class, shape (classes,); the label is their argmax, ties to the
            lower index.
        estimation_counts: Votes per class of further, independent draws, which then give the bound at full
            alpha. ``None`` bounds from the selection draws themselves, at alpha / classes (Bonferroni over
            the label that might have been selected).
        alpha: Probability with which the bounds may fail, in (0, 1).
        undecided: Draws among those bounded from that count against the certificate, such as predictions
            inside the numerical guard band: failures for the label, successes for each rival.
        rivals: ``complement`` takes p_upper = 1 - p_lower, the better choice for two classes and for
            p_lower above about .8. ``separate`` bounds each rival by its own votes, at alpha / 2 for the
            label and alpha / (2 (classes - 1)) per rival. Choose it before seeing the counts.

    Returns:
        Bounds that hold together, except with probability ``alpha``.

    Raises:
        FuzzsmoothError: If counts do not fit together or an argument is out of range.
    """
    check_alpha(alpha)
    selection = _checked_votes(selection_counts, "selection_counts")
    label = top_class(selection)
    votes, level = selection, alpha / len(selection)
    if estimation_counts is not None:
        votes, level = _checked_votes(estimation_counts, "estimation_counts"), alpha
        require(
            len(votes) == len(selection),
            f"selection_counts have {len(selection)} classes but estimation_counts {len(votes)}",
        )
    require(undecided >= 0, f"undecided must be at least 0, got {undecided}")
    trials = sum(votes) + undecided
    require(trials >= 1, "at least one draw is needed to bound a class")
    if rivals == "complement":
        p_lower = clopper_pearson_lower(votes[label], trials, level)
        return TopClassBound(label, p_lower, complement_upper(p_lower), votes[label], trials)
    require(rivals == "separate", f"rivals must be 'complement' or 'separate', got {rivals!r}")
    p_lower = clopper_pearson_lower(votes[label], trials, level / 2)
    share = level / (2 * (len(votes) - 1))
    p_upper = max(
        clopper_pearson_upper(count + undecided, trials, share)
        for index, count in enumerate(votes)
        if index != label
    )
    return TopClassBound(label, p_lower, min(p_upper, complement_upper(p_lower)), votes[label], trials)


def top_class(votes: Sequence[float]) -> int:
    """The class with the most votes, ties to the lower index."""
    return max(range(len(votes)), key=lambda index: (votes[index], -index))


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


def _checked_votes(counts: Sequence[int], name: str) -> list[int]:
    votes = [operator.index(count) for count in counts]
    require(len(votes) >= 2, f"{name}: a certificate needs at least two classes, got {len(votes)}")
    require(min(votes) >= 0, f"{name}: vote counts must be at least 0, got {min(votes)}")
    return votes
