"""Early stopping that keeps its error probability: an anytime-valid test of p <= q, level by level.

For H0: p <= q the likelihood ratio of any p' > q against q is a supermartingale under every p <= q, and so is
its mixture over a uniform prior on (q, 1],

    E(S, F) = integral over p' in (q, 1] of (p'/q)^S ((1-p')/(1-q))^F dp' / (1-q)

after S successes and F failures. By Ville's inequality P[E ever reaches 1/alpha] <= alpha, so one may look
after every draw. Levels q_0 < q_1 < ... are tested in this fixed order, each only after all before it are
rejected: the first level that is at or above p stops every false claim, so the family-wise error stays alpha
without splitting it. See Voracek, arXiv 2406.17830.

Several threats at once need no split either. Each has levels of its own for the SAME p
(:func:`radius_levels`), so these are merged into one increasing sequence, and the highest
rejected level is a lower bound on p from which every threat's radius follows. Levels that nobody waits for
cost nothing.

A level that is out of reach should cost nothing. Given S and F, the number of successes among the draws left
has, under a uniform prior, a beta-binomial law (:func:`chance_of_reaching`); once the number that the level
would need at the cap has a chance below 1 %, drawing for it ends. A wrong guess here can only lose a
radius: stopping for any reason claims nothing new.

At the cap an e-process is a little weaker than a bound made for that one sample size. So a test may keep most
of alpha for a last look with Clopper-Pearson and run the e-process on the rest; by the union bound both hold
together. Early stopping then costs practically no radius.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify.confidence.clopper_pearson import Majority, bound_or_majority, check_alpha
from fuzzsmooth.certify.theorems.edit import ROUNDING, check_threat, checked_rate
from fuzzsmooth.certify.threats import Threat
from fuzzsmooth.common.options import require

# Far above the rounding error of the log special functions, negligible against ln(1 / alpha).
_LOG_ROUNDING = 1e-6

EARLY_SHARE = 0.2
"""Share of alpha for stopping early when there is a last look at the cap: at alpha = .001 and 1000 draws the
last look then needs less than one vote more than a fixed sample would, the e-process about a quarter more
draws."""

# A level is given up when its chance to be claimed by the cap falls below this. It steers the budget only:
# stopping early for any reason cannot raise the type-I error.
_FUTILITY = 0.01


def log_e_value(successes: npt.ArrayLike, failures: npt.ArrayLike, null: float) -> npt.NDArray[np.float64]:
    """Logarithm of the e-value against H0: p <= null, with a uniform prior on (null, 1].

    Args:
        successes: S >= 0, any shape.
        failures: F >= 0, of a shape that broadcasts with it.
        null: q, strictly between 0 and 1.

    Returns:
        ln E, of the broadcast shape; -inf where it underflows, which never rejects.

    Raises:
        FuzzsmoothError: If ``null`` is out of range or a count is negative.
    """
    from scipy.special import betainc, betaln

    require(0.0 < null < 1.0, f"the null probability must lie strictly between 0 and 1, got {null!r}")
    s, f = np.asarray(successes, dtype=float), np.asarray(failures, dtype=float)
    require(bool((s >= 0).all() and (f >= 0).all()), "successes and failures must be at least 0")
    with np.errstate(divide="ignore"):
        tail = np.log(betainc(f + 1, s + 1, 1.0 - null))
    value = betaln(s + 1, f + 1) + tail - (f + 1) * math.log1p(-null) - s * math.log(null)
    return np.asarray(value, dtype=np.float64)


def chance_of_reaching(needed: int, successes: int, failures: int, left: int) -> float:
    """Chance of at least ``needed`` successes in all once ``left`` more draws have been made.

    Args:
        needed: Successes wanted at the end.
        successes: S >= 0, so far.
        failures: F >= 0, so far.
        left: Draws still to come, >= 0.

    Returns:
        The upper tail of the beta-binomial law with a uniform prior on the probability of success.

    Raises:
        FuzzsmoothError: If a count is negative.
    """
    from scipy.special import betaln, gammaln

    require(min(successes, failures, left) >= 0, "counts of draws must be at least 0")
    missing = needed - successes
    if missing <= 0:
        return 1.0
    more = np.arange(missing, left + 1, dtype=float)
    ways = gammaln(left + 1) - gammaln(more + 1) - gammaln(left - more + 1)
    weight = betaln(more + successes + 1, left - more + failures + 1) - betaln(successes + 1, failures + 1)
    return min(1.0, float(np.exp(ways + weight).sum()))


@lru_cache(maxsize=4096)
def _needed(null: float, cap: int, threshold: float, final_alpha: float, majority: Majority | None) -> int:
    """Fewest successes of ``cap`` draws with which a level is claimed at the cap; ``cap`` + 1 if none do."""
    bound = bound_or_majority(majority)

    def claims(successes: int) -> bool:
        if float(log_e_value(successes, cap - successes, null)) >= threshold:
            return True
        return final_alpha > 0.0 and bound(successes, cap, final_alpha) > null

    return bisect_left(range(cap + 1), True, key=claims)


def radius_levels(rate: float, threat: Threat = "edit", *, most: int) -> tuple[float, ...]:
    """The probabilities p_A must exceed to certify radius 0, 1, 2, ... (with p_B = 1 - p_A).

    Args:
        rate: Deletion rate, strictly between 0 and 1.
        threat: As in :func:`fuzzsmooth.certify.radius`.
        most: Largest radius wanted, >= 0; for ``delete`` the number of units is a natural choice.

    Returns:
        Increasing thresholds q_0..q_R with R <= most, rounded up so that radius(q_r) = r; levels that no
        probability below 1 can exceed are left out.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    check_threat(threat)
    require(most >= 0, f"the largest radius must be at least 0, got {most}")
    rate = checked_rate(rate)
    require(rate > 0.0, "early stopping by radius needs a deletion rate above 0")
    powers = [rate**size for size in range(most + 1)]
    if threat == "insert":
        levels = [1.0 / (2.0 * power) if power > 0.5 else 1.0 for power in powers]
    elif threat == "delete":
        levels = [1.0 - power / 2.0 for power in powers]
    else:
        levels = [1.5 - power for power in powers]
    return tuple(level + 4 * ROUNDING for level in levels if level + 4 * ROUNDING < 1.0)


class SequentialTest:
    """Tests increasing levels of one class probability on a stream of draws, looking as often as one likes.

    The label must have been selected on other draws (or be fixed). With two classes one may instead run one
    test per class on the same draws, each with ``majority`` and all of alpha.

    Args:
        levels: Increasing null probabilities, at least one, each strictly between 0 and 1.
        alpha: Probability with which any false level may ever be claimed, in (0, 1).
        cap: Most draws that may be used; a level undecided at the cap is not claimed.
        stop_when_futile: Stop once the next level is practically out of reach.
        awaited: The levels worth drawing for, a subset; the others are claimed in passing. ``None``: all.
        early_share: Share of alpha for the e-process, in (0, 1]; the rest is for a Clopper-Pearson bound at
            the cap, see :data:`EARLY_SHARE`.
        majority: Of two classes that are tested on the same draws, what this one must exceed. Both tests
            together then fail with probability ``alpha``: each e-process has half of the early share, and the
            last look is :meth:`fuzzsmooth.certify.Majority.lower` on the rest.

    Raises:
        FuzzsmoothError: If levels are not increasing or an argument is out of range.
    """

    def __init__(
        self,
        levels: Sequence[float],
        *,
        alpha: float,
        cap: int,
        stop_when_futile: bool = True,
        awaited: Iterable[float] | None = None,
        early_share: float = 1.0,
        majority: Majority | None = None,
    ) -> None:
        check_alpha(alpha)
        require(cap >= 1, f"the cap must be at least one draw, got {cap}")
        require(0.0 < early_share <= 1.0, f"early_share must lie in (0, 1], got {early_share!r}")
        require(len(levels) > 0, "at least one level is needed")
        require(
            all(0.0 < level < 1.0 for level in levels) and all(low < high for low, high in pairwise(levels)),
            "levels must increase strictly between 0 and 1",
        )
        self._levels = tuple(levels)
        self._awaited = self._levels if awaited is None else tuple(sorted(set(awaited)))
        require(set(self._awaited) <= set(self._levels), "awaited levels must be among the levels")
        early = alpha * early_share / (1 if majority is None else 2)
        self._threshold = math.log(1.0 / early) + _LOG_ROUNDING
        self._majority = majority
        self._final_alpha = alpha * (1.0 - early_share)
        self._final = 0.0
        self._cap = cap
        self._stop_when_futile = stop_when_futile
        self._rejected = 0
        self.successes = 0
        self.failures = 0

    @property
    def draws(self) -> int:
        """Draws seen so far."""
        return self.successes + self.failures

    @property
    def level(self) -> int:
        """Highest level claimed so far, -1 for none: with radius levels, the certified radius."""
        return self._rejected - 1

    @property
    def p_lower(self) -> float:
        """The probability that has been exceeded, 0 if no level is claimed; at the cap also the last look."""
        return max(self._final, self._levels[self._rejected - 1] if self._rejected else 0.0)

    @property
    def finished(self) -> bool:
        """Whether to stop: all awaited levels claimed, the cap reached, or the next one futile."""
        position = bisect_right(self._awaited, self.p_lower)
        if position == len(self._awaited) or self.draws >= self._cap:
            return True
        if not self._stop_when_futile or self.draws == 0:
            return False
        needed = _needed(
            self._awaited[position], self._cap, self._threshold, self._final_alpha, self._majority
        )
        left = self._cap - self.draws
        return chance_of_reaching(needed, self.successes, self.failures, left) < _FUTILITY

    def update(self, successes: int, failures: int) -> None:
        """Take in new draws, as many at a time as is convenient; counts beyond the cap are refused.

        Raises:
            FuzzsmoothError: If a count is negative or the cap would be passed.
        """
        require(successes >= 0 and failures >= 0, "successes and failures must be at least 0")
        require(
            self.draws + successes + failures <= self._cap,
            f"{self.draws + successes + failures} draws would pass the cap of {self._cap}",
        )
        self.successes += successes
        self.failures += failures
        while self._rejected < len(self._levels) and self._rejects(self._levels[self._rejected]):
            self._rejected += 1
        if self._final_alpha > 0.0 and self.draws == self._cap:
            bound = bound_or_majority(self._majority)
            self._final = bound(self.successes, self._cap, self._final_alpha)
            self._rejected = max(self._rejected, bisect_left(self._levels, self._final))

    def _rejects(self, null: float) -> bool:
        return float(log_e_value(self.successes, self.failures, null)) >= self._threshold
