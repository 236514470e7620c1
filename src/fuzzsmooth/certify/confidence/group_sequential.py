"""A few planned looks: Clopper-Pearson at each, alpha divided among them.

An e-process may be looked at after every draw and pays for it at each: to claim a level early it needs about
half as many draws again as a bound made for that number of draws. Where draws come in batches anyway, a few
looks planned before the first draw are the better bargain. Each bound fails with probability at most its
share of alpha, so all hold together except with probability alpha, whenever one stops, and the best of each
may be taken.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence

from fuzzsmooth.certify.confidence.clopper_pearson import Majority, bound_or_majority, check_alpha
from fuzzsmooth.certify.confidence.selection import Strata, rival_bounds
from fuzzsmooth.certify.theorems.edit import complement_upper
from fuzzsmooth.common.options import require

LOOKS = ((0.125, 0.05), (0.25, 0.1), (0.5, 0.15))
"""Early looks: share of the cap, and share of alpha. The last look, at the cap, has the rest."""

LAST_SHARE = 1.0 - math.fsum(share for _, share in LOOKS)
"""Share of alpha for the bound at the cap."""

# Standard deviations that a forecast of the final count allows for. Steers the budget only.
_HOPE = 2.0


class _Looks(ABC):
    """Planned looks at a stream of draws, whatever is bounded at them."""

    def __init__(self, awaited: Sequence[float], alpha: float, cap: int) -> None:
        require(
            all(0.0 < level < 1.0 for level in awaited) and list(awaited) == sorted(set(awaited)),
            "levels must increase strictly between 0 and 1",
        )
        self._awaited = tuple(awaited)
        self._alphas = planned_looks(cap, alpha)
        self._cap = cap
        self.draws = 0

    @property
    def next_look(self) -> int:
        """Draws at the next look; the cap once it is reached."""
        return min((at for at in self._alphas if at > self.draws), default=self._cap)

    @property
    def finished(self) -> bool:
        """Whether to stop: the cap reached, or no further level likely to be."""
        if self.draws >= self._cap:
            return True
        return self.draws in self._alphas and self._hoped() == self._claimed()

    def _take(self, draws: int) -> float | None:
        """Count new draws; the look's share of alpha if they end at one."""
        require(
            self.draws + draws <= self.next_look,
            f"{self.draws + draws} draws would pass the look planned at {self.next_look}",
        )
        self.draws += draws
        return self._alphas.get(self.draws) if draws else None

    def _exceeded(self, bound: float) -> int:
        """How many awaited levels a bound exceeds."""
        return bisect_left(self._awaited, bound)

    @abstractmethod
    def _claimed(self) -> int:
        """How many awaited levels are exceeded by now."""

    @abstractmethod
    def _hoped(self) -> int:
        """How many will be at the cap, if all goes as well as can be hoped for."""


class LookedTest(_Looks):
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
        draws: Draws so far.
        successes: Draws of the class so far.
        p_lower: The largest bound of the looks taken; 0 before the first.

    Raises:
        FuzzsmoothError: If levels do not increase or an argument is out of range.
    """

    def __init__(
        self, awaited: Sequence[float], *, alpha: float, cap: int, majority: Majority | None = None
    ) -> None:
        super().__init__(awaited, alpha, cap)
        self._bound = bound_or_majority(majority)
        self.successes = 0
        self.p_lower = 0.0

    def update(self, successes: int, failures: int) -> None:
        """Take in new draws, at most up to the next look.

        Raises:
            FuzzsmoothError: If a count is negative or a look would be passed over.
        """
        require(successes >= 0 and failures >= 0, "successes and failures must be at least 0")
        alpha = self._take(successes + failures)
        self.successes += successes
        if alpha is not None:
            self.p_lower = max(self.p_lower, self._bound(self.successes, self.draws, alpha))

    def _claimed(self) -> int:
        return self._exceeded(self.p_lower)

    def _hoped(self) -> int:
        hoped = hoped_successes(self.successes, self.draws, self._cap)
        return self._exceeded(max(self.p_lower, self._bound(hoped, self._cap, self._alphas[self._cap])))


class RivalsTest(_Looks):
    """Bounds on a class and on its rivals, by the votes of each, at planned looks; for three or more classes.

    The class must have been selected on other draws, or without any. What counts is the margin M between it
    and its strongest rival: with M everything is certified that two classes at (1 + M) / 2 would be.

    Args:
        label: The class.
        strata: What was enumerated before any draw.
        awaited: Increasing levels worth drawing for, each in (0, 1), as of two classes.
        alpha: Probability with which any of the bounds may fail, in (0, 1).
        cap: Most draws, >= 1.

    Attributes:
        draws: Draws so far, undecided ones included.
        votes: Votes per class so far.
        p_lower: The largest lower bound on the class probability of the looks taken.
        p_upper: The smallest upper bound on those of its rivals.

    Raises:
        FuzzsmoothError: If levels do not increase or an argument is out of range.
    """

    def __init__(
        self, label: int, strata: Strata, awaited: Sequence[float], *, alpha: float, cap: int
    ) -> None:
        super().__init__(awaited, alpha, cap)
        self._label, self._strata = label, strata
        self.votes = [0] * len(strata.exact_parts)
        self.p_lower = strata.lower(label, 0.0)
        self.p_upper = complement_upper(self.p_lower)

    @property
    def successes(self) -> int:
        """Draws of the class so far."""
        return self.votes[self._label]

    def update(self, votes: Sequence[int], draws: int) -> None:
        """Take in new draws, at most up to the next look.

        Args:
            votes: Votes per class among them.
            draws: Their number; those that voted for no class count against the certificate.

        Raises:
            FuzzsmoothError: If the votes do not fit, or a look would be passed over.
        """
        require(
            len(votes) == len(self.votes) and min(votes) >= 0 and sum(votes) <= draws,
            f"{list(votes)} are not the votes of {draws} draws for {len(self.votes)} classes",
        )
        alpha = self._take(draws)
        self.votes = [old + new for old, new in zip(self.votes, votes, strict=True)]
        if alpha is not None:
            self.p_lower, self.p_upper = self._best(self.votes, self.draws, alpha)

    def _best(self, votes: Sequence[int], draws: int, alpha: float) -> tuple[float, float]:
        """The best bounds once these votes are seen too."""
        lower, upper = rival_bounds(self._strata, self._label, votes, draws, alpha, "separate")
        return max(self.p_lower, lower), min(self.p_upper, upper)

    def _claimed(self) -> int:
        return self._exceeded((1.0 + self.p_lower - self.p_upper) / 2.0)

    def _hoped(self) -> int:
        lower, upper = self._best(self._hoped_votes(), self._cap, self._alphas[self._cap])
        return self._exceeded((1.0 + lower - upper) / 2.0)

    def _hoped_votes(self) -> list[int]:
        """Final votes as good as can be hoped for: the rivals share what the class leaves as they do now."""
        best = hoped_successes(self.successes, self.draws, self._cap)
        others = max(1, self.draws - self.successes)
        hoped = [max(count, count * (self._cap - best) // others) for count in self.votes]
        hoped[self._label] = min(best, self._cap - (sum(hoped) - hoped[self._label]))
        return hoped


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


def hoped_successes(successes: int, draws: int, cap: int) -> int:
    """A number of successes at the cap that is rarely exceeded: beta-binomial, from what was seen."""
    left, a, b = cap - draws, successes + 0.5, draws - successes + 0.5
    mean = a / (a + b)
    variance = left * mean * (1 - mean) * (a + b + left) / (a + b + 1)
    return successes + min(left, math.ceil(left * mean + _HOPE * math.sqrt(variance)))
