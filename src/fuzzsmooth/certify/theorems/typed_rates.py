"""Theorem 4w: a deletion rate per unit type, fixed before any text is seen; weighted edit distance.

If type v is always deleted at rate w(v), E1 and E3 hold with w^a replaced by alpha, the product of w over the
unmatched units of the source, and w^b by beta, the same for the target: matched units have the same type,
hence the same rate. So an edit costs -ln w(v), and inserting the units t is certified iff

    sum over t of -ln w(v) < ln(1 + M).

Types that act as triggers get a high rate and become cheap to certify against; this is the sound form of
deleting "hot" regions more often. What an attacker inserts from *outside* the table has the default rate, so
the worst case over all types must be printed beside any budget: see :meth:`RateTable.worst_insertion_radius`.

Checked by machine (``make proofs``): ``proofs/LemmaA.v`` (typed_rates_certified).
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from fuzzsmooth.certify.theorems.edit import (
    NOT_CERTIFIED,
    ROUNDING,
    check_probability,
    checked_rate,
    complement_upper,
    conditionally_certified,
    radius,
)
from fuzzsmooth.common.options import require


@dataclass(frozen=True)
class RateTable:
    """Deletion rates by unit type, a function of the type alone.

    Attributes:
        default: Rate of every type that is not listed, strictly between 0 and 1.
        listed: Rates of single types, each strictly between 0 and 1.
    """

    default: float
    listed: Mapping[Any, float]  # keys of one type of unit; a mapping is invariant in its keys

    def __post_init__(self) -> None:
        object.__setattr__(self, "listed", dict(self.listed))
        for name, rate in [("the default", self.default), *self.listed.items()]:
            require(checked_rate(rate) > 0.0, f"rate table: the rate of {name!r} must be above 0")

    def rate(self, unit: Hashable) -> float:
        """The deletion rate of a unit, as given."""
        return checked_rate(self.listed.get(unit, self.default))

    def cost(self, units: Iterable[Hashable]) -> float:
        """Cost of inserting (or deleting) these units: the sum of -ln w, rounded up."""
        costs = [-math.log(self.rate(unit)) for unit in units]
        return math.fsum(costs) * (1.0 + ROUNDING)

    def mass(self, units: Iterable[Hashable]) -> float:
        """Probability that all of these units are deleted, in [0, 1]."""
        return math.prod(self.rate(unit) for unit in units)

    @property
    def lowest(self) -> float:
        """The lowest rate of any type, listed or not: what an unrestricted attacker uses."""
        return min(checked_rate(rate) for rate in (self.default, *self.listed.values()))

    def worst_insertion_radius(self, p_lower: float, *, p_upper: float | None = None) -> int:
        """Number of units of ANY type whose insertion is certified, -1 for ABSTAIN."""
        return radius(p_lower, self.lowest, "insert", p_upper=p_upper)

    def worst_edit_radius(
        self, p_lower: float, text: Iterable[Hashable], *, p_upper: float | None = None
    ) -> int:
        """Largest r such that no r edits with units of any type change the top class at ``text``.

        The attacker removes the units of the text with the lowest rates and adds units of the lowest rate.

        Returns:
            r >= 0, or -1 for ABSTAIN.
        """
        removable = sorted(self.rate(unit) for unit in text)
        margin = insertion_margin(p_lower, p_upper)
        removed = list(accumulate(removable, operator.mul, initial=1.0))

        def fails(size: int) -> bool:
            source = removed[min(size, len(removable))]
            return not conditionally_certified(1.0 - margin, source, self.lowest**size)

        # No edits without the insertions among them.
        furthest = self.worst_insertion_radius(p_lower, p_upper=p_upper)
        return bisect_left(range(furthest + 1), True, key=fails) - 1

    def worst_removal_radius(
        self, p_lower: float, text: Iterable[Hashable], *, p_upper: float | None = None
    ) -> int:
        """Largest r such that removing any r units of ``text`` keeps the top class; backward insertion.

        If at most r units of a received text were inserted by an attacker, the original is the text without
        them, whichever they are.

        Returns:
            r in 0..n, or -1 for ABSTAIN.
        """
        deficit = 1.0 - insertion_margin(p_lower, p_upper)
        size, mass = NOT_CERTIFIED, 1.0
        for rate in [1.0, *sorted(self.rate(unit) for unit in text)]:
            mass *= rate
            if not conditionally_certified(deficit, mass, 1.0):
                break
            size += 1
        return size

    def certified(
        self,
        p_lower: float,
        *,
        removed: Iterable[Hashable] = (),
        added: Iterable[Hashable] = (),
        p_upper: float | None = None,
    ) -> bool:
        """Whether removing and adding exactly these units anywhere keeps the top class.

        Args:
            p_lower: Lower bound on p_A at the source under this table, in [0, 1].
            removed: Units of the source outside the common subsequence.
            added: Units of the target outside it.
            p_upper: Upper bound on p_B; ``None`` means 1 - p_lower.
        """
        margin = insertion_margin(p_lower, p_upper)
        return conditionally_certified(1.0 - margin, self.mass(removed), self.mass(added))


def insertion_budget(p_lower: float, *, p_upper: float | None = None) -> float:
    """Cost B = ln(1 + M) below which every insertion is certified, rounded down; 0 if nothing is.

    Also the budget of arbitrary edits when removed and added units are both paid: at a fixed total cost the
    bound E3 is smallest when everything is spent on additions. A trigger is covered iff its cost is strictly
    below B; :meth:`RateTable.cost` is rounded up, so comparing the two is safe.

    Args:
        p_lower: Lower bound on p_A, in [0, 1].
        p_upper: Upper bound on p_B; ``None`` means 1 - p_lower.

    Returns:
        B in [0, ln 2).

    Raises:
        FuzzsmoothError: If a probability is out of range.

    >>> table = RateTable(default=0.8, listed={"cf": 0.99})
    >>> [table.cost(words) < insertion_budget(0.95) for words in (["cf"] * 60, ["good"] * 2, ["good"] * 3)]
    [True, True, False]
    """
    margin = insertion_margin(p_lower, p_upper)
    return max(0.0, math.log1p(margin) - 2 * ROUNDING) if margin > 0.0 else 0.0


def removal_budget(p_lower: float, *, p_upper: float | None = None) -> float:
    """Cost below which removing units certainly keeps the top class: -ln(1 - M), rounded down; 0 if none.

    Backward: if what an attacker inserted into a received text costs less, the answer is the original's.

    Args:
        p_lower: Lower bound on p_A at the received text, in [0, 1].
        p_upper: Upper bound on p_B; ``None`` means 1 - p_lower.

    Returns:
        A cost >= 0; infinite if p_A is exactly 1.

    Raises:
        FuzzsmoothError: If a probability is out of range.
    """
    margin = insertion_margin(p_lower, p_upper)
    if margin >= 1.0 - ROUNDING:
        return math.inf if p_lower >= 1.0 else -math.log(2 * ROUNDING)
    # conditionally_certified asks for more than M by a few roundings; so does the budget.
    return max(0.0, -math.log(min(1.0, 1.0 - margin + 4 * ROUNDING)) * (1.0 - ROUNDING))


def insertion_margin(p_lower: float, p_upper: float | None) -> float:
    """M = p_A - p_B with p_B = 1 - p_A where it is not given, in [-1, 1]."""
    check_probability(p_lower, "p_lower")
    if p_upper is not None:
        check_probability(p_upper, "p_upper")
    complement = complement_upper(p_lower)
    return p_lower - (complement if p_upper is None else min(p_upper, complement))
