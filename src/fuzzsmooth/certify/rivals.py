"""A selected class and each of its rivals, bounded by their own votes at a few planned looks.

At each look all bounds together may fail with that look's share of alpha (see
:mod:`fuzzsmooth.certify.looks`), so those of all looks hold together except with probability alpha, and the
best of each may be taken. What counts is the margin M between the class and its strongest rival: with M
everything is certified that two classes at (1 + M) / 2 would be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from fuzzsmooth.certify.bounds import complement_upper
from fuzzsmooth.certify.looks import checked_levels, hoped_successes, planned_looks
from fuzzsmooth.certify.selection import Strata, rival_bounds
from fuzzsmooth.common.options import require


class RivalsTest:
    """Bounds on a class and on its rivals from a stream of draws, for three or more classes.

    The class must have been selected on other draws, or without any.

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
        self._label, self._strata, self._cap = label, strata, cap
        self._awaited = checked_levels(awaited)
        self._alphas = planned_looks(cap, alpha)
        self.draws = 0
        self.votes = [0] * len(strata.exact_parts)
        self.p_lower = strata.lower(label, 0.0)
        self.p_upper = complement_upper(self.p_lower)

    @property
    def successes(self) -> int:
        """Draws of the class so far."""
        return self.votes[self._label]

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
        lower, upper = self._bounds(self._hoped(), self._cap, self._alphas[self._cap])
        best = max(lower, self.p_lower), min(upper, self.p_upper)
        return self._claimed(*best) == self._claimed(self.p_lower, self.p_upper)

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
        require(
            self.draws + draws <= self.next_look,
            f"{self.draws + draws} draws would pass the look planned at {self.next_look}",
        )
        self.draws += draws
        self.votes = [old + new for old, new in zip(self.votes, votes, strict=True)]
        if draws and (alpha := self._alphas.get(self.draws)) is not None:
            lower, upper = self._bounds(self.votes, self.draws, alpha)
            self.p_lower, self.p_upper = max(self.p_lower, lower), min(self.p_upper, upper)

    def _bounds(self, votes: Sequence[int], draws: int, alpha: float) -> tuple[float, float]:
        return rival_bounds(self._strata, self._label, votes, draws, alpha, "separate")

    def _claimed(self, p_lower: float, p_upper: float) -> int:
        """How many awaited levels the margin exceeds."""
        return bisect_left(self._awaited, (1.0 + p_lower - p_upper) / 2.0)

    def _hoped(self) -> list[int]:
        """Final votes as good as can be hoped for: the rivals share what the class leaves as they do now."""
        best = hoped_successes(self.successes, self.draws, self._cap)
        others = max(1, self.draws - self.successes)
        hoped = [max(count, count * (self._cap - best) // others) for count in self.votes]
        hoped[self._label] = min(best, self._cap - (sum(hoped) - hoped[self._label]))
        return hoped
