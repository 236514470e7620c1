"""A few planned looks: Clopper-Pearson at each, alpha divided among them.

An e-process may be looked at after every draw and pays for it at each: to claim a level early it needs about
half as many draws again as a bound made for that number of draws. Where draws come in batches anyway, a few
looks planned before the first draw are the better bargain. Each bound fails with probability at most its
share of alpha, so all hold together except with probability alpha, whenever one stops.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from fuzzsmooth.certify.bounds import check_alpha
from fuzzsmooth.certify.majority import Majority, bound_or_majority
from fuzzsmooth.common.options import require

LOOKS = ((0.125, 0.05), (0.25, 0.1), (0.5, 0.15))
"""Early looks: share of the cap, and share of alpha. The last look, at the cap, has the rest."""

LAST_SHARE = 1.0 - math.fsum(share for _, share in LOOKS)
"""Share of alpha for the bound at the cap."""

# Standard deviations that a forecast of the final count allows for. Steers the budget only.
_HOPE = 2.0


class LookedTest:
    """A lower bound on one class probability from a stream of draws, at planned looks.

    It stops once the draws that are left could hardly raise the bound past another awaited level; stopping
    for any reason cannot raise the error probability.

    Args:
        awaited: Increasing levels worth drawing for, each in (0, 1).
        alpha: Probability with which any of the bounds may fail, in (0, 1).
        cap: Most draws, >= 1.
        majority: Of two classes that are tested on the same draws, what this one must exceed; the bounds of
            both tests then fail with probability ``alpha`` together.

    Attributes:
        successes: Draws of the class so far.
        failures: Other draws so far.
        p_lower: The largest bound of the looks taken; 0 before the first.
    """

    def __init__(
        self, awaited: Sequence[float], *, alpha: float, cap: int, majority: Majority | None = None
    ) -> None:
        self._awaited = checked_levels(awaited)
        self._alphas = planned_looks(cap, alpha)
        self._cap = cap
        self._bound = bound_or_majority(majority)
        self.successes = 0
        self.failures = 0
        self.p_lower = 0.0

    @property
    def draws(self) -> int:
        """Draws seen so far."""
        return self.successes + self.failures

    @property
    def next_look(self) -> int:
        """Draws at the next look; the cap once it is reached."""
        return min((at for at in self._alphas if at > self.draws), default=self._cap)

    @property
    def finished(self) -> bool:
        """Whether to stop: the cap reached, or no further level likely to be."""
        if self.draws >= self._cap:
            return True
        if self.draws not in self._alphas:
            return False
        hoped = hoped_successes(self.successes, self.draws, self._cap)
        final = self._bound(hoped, self._cap, self._alphas[self._cap])
        return self._claimed(max(final, self.p_lower)) == self._claimed(self.p_lower)

    def update(self, successes: int, failures: int) -> None:
        """Take in new draws, at most up to the next look.

        Raises:
            FuzzsmoothError: If a count is negative or a look would be passed over.
        """
        require(successes >= 0 and failures >= 0, "successes and failures must be at least 0")
        require(
            self.draws + successes + failures <= self.next_look,
            f"{self.draws + successes + failures} draws would pass the look planned at {self.next_look}",
        )
        self.successes += successes
        self.failures += failures
        if (alpha := self._alphas.get(self.draws)) is not None and self.draws:
            self.p_lower = max(self.p_lower, self._bound(self.successes, self.draws, alpha))

    def _claimed(self, bound: float) -> int:
        """How many awaited levels a bound exceeds."""
        return bisect_left(self._awaited, bound)


def planned_looks(cap: int, alpha: float) -> dict[int, float]:
    """The draws after which to look, increasing, with the share of alpha of each look.

    Raises:
        FuzzsmoothError: If the cap is below 1 or alpha is out of range.
    """
    check_alpha(alpha)
    require(cap >= 1, f"the cap must be at least one draw, got {cap}")
    early = {max(1, round(at * cap)): share * alpha for at, share in LOOKS}
    # Looks of a small cap may fall together; the cap then still has its own share.
    return {at: share for at, share in early.items() if at < cap} | {cap: LAST_SHARE * alpha}


def checked_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Levels worth drawing for.

    Raises:
        FuzzsmoothError: If they do not increase strictly between 0 and 1.
    """
    require(
        all(0.0 < level < 1.0 for level in levels) and list(levels) == sorted(set(levels)),
        "levels must increase strictly between 0 and 1",
    )
    return tuple(levels)


def hoped_successes(successes: int, draws: int, cap: int) -> int:
    """A number of successes at the cap that is rarely exceeded: beta-binomial, from what was seen."""
    left, a, b = cap - draws, successes + 0.5, draws - successes + 0.5
    mean = a / (a + b)
    variance = left * mean * (1 - mean) * (a + b + left) / (a + b + 1)
    return successes + min(left, math.ceil(left * mean + _HOPE * math.sqrt(variance)))
