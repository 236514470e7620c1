r"""Confidence bounds on class probabilities from vote counts (Clopper and Pearson, Biometrika 1934).

Every bound is rounded outward: a lower bound is never above, an upper bound never below, the exact value.

**Two classes from the same draws, at nearly the whole of alpha instead of half of it** (:class:`Majority`).
Testing both classes on the same draws seems to cost half of alpha for each. But something is claimed of a
class only if its bound shows that it is the majority class, and of two classes one at most is. Let r be the
probability of class A in a draw, 1 - r that of B, and let A be claimed from s successes on, B from t:

    s = the fewest k with P[Bin(K, 1/2) >= k] <= alpha / 2,   t likewise.

The bound L(k) of A is 0 for k < s, and otherwise the root r of

    P[Bin(K, r) >= k] + P[Bin(K, 1 - r) >= t] = alpha,                                          (*)

a Clopper-Pearson bound at alpha minus the chance that the *other* class is claimed where this one has
probability r: alpha / 2 at r = 1/2, all of alpha (to many digits) a few standard deviations above it.

*Both bounds hold together except with probability alpha.* Let r > 1/2, so that everything claimed of B is
false. A false claim about A needs a count k with L(k) > r; let k be the smallest. The left side of (*) as a
function g of r first falls and then rises: the rise of its first term is to the fall of its second as a
constant times (r / (1 - r))^(k + t - K - 1), and k + t > K because s and t lie above the medians. It is at
most alpha at 1/2 by the choice of s and t, and at L(k) by definition, hence at r. And g(r) is the probability
that k successes or more are seen of A or t of B, so of any false claim. At r = 1/2 all claims are false and
the probability is at most alpha / 2 + alpha / 2. B is the mirror image.

Draws that count for neither class lower both counts, and L grows with the count: they can prevent claims
only. Clopper-Pearson at alpha for both classes is NOT sound: at r = 1/2 it fails with nearly 2 alpha.

Where deletions are enumerated and only the rest is drawn, A is claimed if r exceeds t_A, which makes its
whole probability exceed 1/2, and B if 1 - r exceeds t_B. Then t_A + t_B >= 1, one class at most can again be
claimed rightly, and the proof goes through with t_A in the place of 1/2 for A and t_B for B.
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import SupportsIndex

from fuzzsmooth.certify.theorems.edit import complement_upper
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require

# The inverse incomplete beta function is accurate to about 1e-13 relative; this margin is far outside it.
_OUTWARD = 1e-10

# The same of binomial tails.
_UP = 1.0 + 1e-9

# Each round of a bound for two classes is sound and at least as good as the one before; more than a few are
# needed only where alpha is large or the draws few.
_ROUNDS = 50
_SETTLED = 1e-9


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

    >>> round(clopper_pearson_lower(990, 1000, alpha=0.001), 4)
    0.976
    """
    from scipy.special import betaincinv

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


@dataclass(frozen=True)
class Majority:
    """The lower bound of one of two classes that are bounded from the same draws; see the module.

    Attributes:
        own: What the probability of this class among the draws must exceed for it to be the majority class.
        rival: The same of the other class, of which the same bound is taken with the two exchanged.

    Raises:
        FuzzsmoothError: If both classes could be the majority at once, own + rival < 1.
    """

    own: float = 0.5
    rival: float = 0.5

    def __post_init__(self) -> None:
        require(
            self.own + self.rival >= 1.0,
            f"two classes cannot both exceed {self.own!r} and {self.rival!r} of all draws to be the majority",
        )

    def lower(self, successes: int, trials: int, alpha: float) -> float:
        """Lower bound on the probability of this class among the draws.

        Args:
            successes: Draws of this class, 0..trials.
            trials: Number of independent draws, >= 1.
            alpha: Probability with which this bound or the other class's may fail, in (0, 1).

        Returns:
            A number in [0, 1), above ``own``; or 0 where the class is not shown to be the majority.

        Raises:
            FuzzsmoothError: If an argument is out of range.
        """
        check_alpha(alpha)
        bound = clopper_pearson_lower(successes, trials, alpha / 2)
        if successes < fewest_successes(self.own, trials, alpha / 2):
            return 0.0
        others = fewest_successes(self.rival, trials, alpha / 2)
        for _ in range(_ROUNDS):
            claimed = _tail(others, trials, 1.0 - bound) * _UP
            better = clopper_pearson_lower(successes, trials, alpha - min(claimed, alpha / 2))
            if better <= bound + _SETTLED:
                break
            bound = better
        return bound


def bound_or_majority(majority: Majority | None) -> Callable[[int, int, float], float]:
    """The bound from (successes, trials, alpha): Clopper-Pearson, or that of one class of two."""
    return clopper_pearson_lower if majority is None else majority.lower


@lru_cache(maxsize=4096)
def fewest_successes(probability: float, trials: int, alpha: float) -> int:
    """The fewest k with P[Bin(trials, probability) >= k] <= alpha; trials + 1 if there is none.

    Args:
        probability: Any number; at most 0 needs no success, and 1 or more no number of them can exceed.
        trials: Number of draws, >= 1.
        alpha: In (0, 1).
    """
    check_alpha(alpha)
    if probability <= 0.0:
        return 0
    if probability >= 1.0:
        return trials + 1

    def suffices(successes: int) -> bool:
        return _tail(successes, trials, probability) * _UP <= alpha

    return bisect_left(range(trials + 1), True, key=suffices)


def vote_error(votes: Sequence[int], *, undecided: int = 0) -> float:
    """The error of a vote: at most how probable one so clear is where its winner is not the majority answer.

    The exact two-sided binomial test of the two best classes against each other at 1/2, as in PREDICT of
    Cohen et al. (ICML 2019, arXiv 1902.02918); by Hung and Fithian (Annals of Statistics 2019) that it picks
    the two after the fact costs nothing more. Answering only where this is at most alpha is wrong, for any
    text, with probability at most alpha.

    Args:
        votes: Votes per class, shape (classes,), at least two.
        undecided: Draws that voted for no class; they count for the runner-up.

    Returns:
        A probability in (0, 1], rounded up.

    Raises:
        FuzzsmoothError: If there are fewer than two classes or a negative count.

    >>> round(vote_error([18, 2]), 5), round(vote_error([11, 9]), 5)
    (0.0004, 0.8238)
    """
    require(len(votes) >= 2, f"a vote needs at least two classes, got {len(votes)}")
    require(min(*votes, undecided) >= 0, "votes must be at least 0")
    best, second = sorted(votes, reverse=True)[:2]
    second += undecided
    if best <= second:
        return 1.0
    return min(1.0, 2.0 * _tail(best, best + second, 0.5) * _UP)


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


def _tail(successes: int, trials: int, probability: float) -> float:
    """P[Bin(trials, probability) >= successes], which is a regularized incomplete beta function."""
    from scipy.special import betainc

    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return float(betainc(successes, trials - successes + 1, probability))
