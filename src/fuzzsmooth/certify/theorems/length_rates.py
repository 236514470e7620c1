r"""Theorem 1n: a deletion rate that depends on the number of units only, fixed before any text is seen.

Short texts keep words and long ones lose many, at one certificate for all. Let w(n) be the rate of a text of
n units; z any common subsequence of x and x', of m units; a = n - m and b = n' - m; w = w(n), w' = w(n').
For k = 0..m let

    P_k = w^a  C(m, k) (1 - w)^k  w^(m - k),      Q_k = w'^b  C(m, k) (1 - w')^k  w'^(m - k).

**Theorem.** For every base classifier and every multiplier v >= 0, with need = p_c(x) - (1 - w^a),

    p_c(x')  >=  v need + sum over k of min(0, Q_k - v P_k).

*Proof.* Condition on "all unmatched units are deleted" on both sides. What is left is a subset S of z, on
either side with a probability that depends on its size alone: p_c(x') >= sum over S of Q_S h(S), and
need <= sum over S of P_S h(S), where h(S) in [0, 1] is the probability of the class. So p_c(x') - v need is
at least the sum of (Q_S - v P_S) h(S), and each term at least min(0, Q_S - v P_S); those of size k are
C(m, k) equal ones. []

The best v is the ratio Q_k / P_k at which the fractional knapsack stops (atoms by increasing ratio, until
their P reach need); the bound is then the least sum of Q_k h_k under the constraint, and **attained** for
texts of distinct units. As the theorem holds for every v, rounding in the choice of v does no harm. Equal
rates have one ratio: that is (E1) of Theorem 1. The margin M of two classes is the probability (1 + M) / 2 of
one, so the top class stays if the bound at (1 + M) / 2 is above 1/2.

The setting, certificates for rates that depend on the length, is that of AdaptDel (arXiv 2511.09316).

Checked by machine (``make proofs``): ``proofs/T1n.v`` (T1n, T1n_margin, T1n_edits, T1n_insertions,
T1n_deletions).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fuzzsmooth.certify.theorems.edit import (
    NOT_CERTIFIED,
    ROUNDING,
    check_probability,
    check_threat,
    checked_rate,
    conditionally_certified,
    maximal_pairs,
)
from fuzzsmooth.certify.theorems.typed_rates import insertion_margin
from fuzzsmooth.certify.threats import Threat
from fuzzsmooth.common.options import require

# Logarithms of binomials are sums of up to m terms, whose rounding errors grow with m squared: 8e-17 m^2.
_GROWTH = 1e-3
_MOST_BINS = 10_000


@dataclass(frozen=True)
class LengthRates:
    """Deletion rates by the number of units, constant in bins; a function of that number alone.

    Attributes:
        ends: The longest text of every bin but the last, in units, increasing.
        rates: One rate for every bin, each strictly between 0 and 1, used as given.
    """

    ends: tuple[int, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        require(
            len(self.rates) == len(self.ends) + 1,
            f"{len(self.ends)} ends of bins need {len(self.ends) + 1} rates, got {len(self.rates)}",
        )
        require(
            all(end >= 0 for end in self.ends) and all(one < two for one, two in pairwise(self.ends)),
            f"ends of bins must be at least 0 and increase, got {self.ends}",
        )
        for rate in self.rates:
            require(checked_rate(rate) > 0.0, "rates by length must be above 0")

    def rate(self, length: int) -> float:
        """The rate of a text of ``length`` units."""
        require(length >= 0, f"a text cannot have {length} units")
        return float(self.rates[bisect_left(self.ends, length)])

    @classmethod
    def keeping(cls, kept: float, lowest: float, highest: float) -> LengthRates:
        """Rates at which as many units are expected to be left of every text: 1 - kept / n, within bounds.

        The rule of AdaptDel; nearly every length has a bin of its own, so that no pair of texts is on two
        sides of a large step.

        Args:
            kept: Units that are expected to be left, above 0.
            lowest: The rate of the shortest texts, above 0.
            highest: That of the longest, at least ``lowest`` and below 1.

        Raises:
            FuzzsmoothError: If that is no rule, or one of more than ten thousand bins.

        >>> [LengthRates.keeping(2, 0.5, 0.9).rate(length) for length in (1, 8, 100)]
        [0.5, 0.75, 0.9]
        """
        require(
            kept > 0 and 0 < lowest <= checked_rate(highest),
            f"rates by length keep more than 0 units and lie in 0 < lowest <= highest < 1, got {kept}, "
            f"{lowest} and {highest}",
        )
        require(
            kept / (1.0 - highest) <= _MOST_BINS,
            f"to keep {kept} units at a rate of {highest} takes texts of more than {_MOST_BINS:,} units; "
            "lower one of them",
        )
        last = math.ceil(kept / (1.0 - highest))
        each = [min(highest, max(lowest, 1.0 - kept / length)) for length in range(1, last + 1)]
        ends = [length for length in range(1, last) if each[length - 1] != each[length]]
        return cls(tuple(ends), (each[0], *(each[end] for end in ends)))


def length_lower_bound(
    p_lower: float, rates: LengthRates, length: int, *, unmatched_source: int, unmatched_target: int
) -> float:
    """Lower bound on a class probability at a text that shares all but a and b units with this one.

    Args:
        p_lower: Lower bound on the class probability at this text, in [0, 1].
        rates: The rates by length.
        length: Units n of this text; the other has n - a + b.
        unmatched_source: a, units of this text outside the common subsequence, at most n.
        unmatched_target: b, units of the other text outside it.

    Returns:
        A probability in [0, 1], rounded down.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    check_probability(p_lower, "p_lower")
    require(
        0 <= unmatched_source <= length and unmatched_target >= 0,
        f"unmatched units must be 0..{length} and at least 0, got {unmatched_source} and {unmatched_target}",
    )
    common = length - unmatched_source
    one, two = rates.rate(length), rates.rate(common + unmatched_target)
    need = p_lower - 1.0 + one**unmatched_source
    if need <= 0.0:
        return 0.0
    kept = np.arange(common + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((common - kept[:-1]) / (kept[:-1] + 1.0)))])
    source = ways + kept * math.log1p(-one) + (length - kept) * math.log(one)
    target = ways + kept * math.log1p(-two) + (common + unmatched_target - kept) * math.log(two)
    if two > one:  # then the ratio of the two falls with the number kept
        source, target = source[::-1], target[::-1]
    filled = np.concatenate([[0.0], np.cumsum(np.exp(source))])
    stop = min(int(np.searchsorted(filled[1:], need)), common)
    multiplier = math.exp(min(target[stop] - source[stop], 700.0))
    # All ratios before this one are below it, so the sum of min(0, .) is over these.
    bound = float(np.exp(target[:stop]).sum()) + multiplier * (need - float(filled[stop]))
    slack = ROUNDING * (1.0 + _GROWTH * common**2) * (1.0 + multiplier)
    return min(1.0, max(0.0, bound - slack))


def length_radius(
    p_lower: float,
    rates: LengthRates,
    length: int,
    threat: Threat = "edit",
    *,
    p_upper: float | None = None,
    most: int = 1000,
) -> int:
    """Largest number of operations that cannot change the top class, from the text where p was measured.

    Args:
        p_lower: Lower bound on p_A, in [0, 1].
        rates: The rates by length.
        length: Units of the text, >= 0.
        threat: As in :func:`fuzzsmooth.certify.radius`. Backward from a received text, what was inserted is
            ``delete``, with ``length`` the units of the received text.
        p_upper: Upper bound on p_B of every other class; ``None`` means 1 - p_lower.
        most: Operations looked at, at most, >= 0.

    Returns:
        The radius, capped by ``length`` where nothing is inserted; -1 if not even the unchanged text is
        certified.

    Raises:
        FuzzsmoothError: If an argument is out of range or the threat is unknown.

    >>> short_and_long = LengthRates(ends=(10,), rates=(0.5, 0.9))
    >>> [length_radius(0.95, short_and_long, length) for length in (8, 11, 20)]
    [0, 0, 5]
    """
    check_threat(threat)
    require(length >= 0, f"a text cannot have {length} units")
    require(most >= 0, f"the most operations looked at must be at least 0, got {most}")
    margin = insertion_margin(p_lower, p_upper)
    limit = most if threat in ("edit", "insert") else min(most, length)
    size = NOT_CERTIFIED
    while size < limit and all(
        _keeps(margin, rates, length, removed, added) for removed, added in _at(threat, size + 1, length)
    ):
        size += 1
    return size


def length_frontier(
    p_lower: float, rates: LengthRates, length: int, *, p_upper: float | None = None, most: int = 1000
) -> tuple[tuple[int, int], ...]:
    """The largest mixtures of insertions and deletions that cannot change the top class.

    A pair is covered if the theorem keeps the class at every pair of at most so many of both, as the rate
    may change in between.

    Args:
        p_lower: As in :func:`length_radius`, like the others.
        rates: The same.
        length: The same.
        p_upper: The same.
        most: Insertions listed at most, >= 0.

    Returns:
        As :func:`fuzzsmooth.certify.frontier`.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    require(length >= 0, f"a text cannot have {length} units")
    require(most >= 0, f"the most insertions listed must be at least 0, got {most}")
    margin = insertion_margin(p_lower, p_upper)
    reached: list[int] = []
    for inserted in range(most + 1):
        limit = reached[-1] if reached else length
        deleted = NOT_CERTIFIED
        while deleted < limit and _keeps(margin, rates, length, deleted + 1, inserted):
            deleted += 1
        if deleted == NOT_CERTIFIED:
            break
        reached.append(deleted)
    return maximal_pairs(reached)


def _at(threat: Threat, size: int, length: int) -> Iterator[tuple[int, int]]:
    """The pairs (a, b) that ``size`` operations may leave unmatched and fewer do not."""
    if threat == "insert":
        yield 0, size
    elif threat == "delete":
        yield size, 0
    elif threat == "edit":
        most = min(size, length)
        yield from ((removed, size) for removed in range(most + 1))
        if size <= length:
            yield from ((size, added) for added in range(size))
    else:  # the length stays
        yield min(size, length), min(size, length)


def _keeps(margin: float, rates: LengthRates, length: int, removed: int, added: int) -> bool:
    """Whether the top class is the same at every text that shares all but these units."""
    one, two = rates.rate(length), rates.rate(length - removed + added)
    if one == two:
        return conditionally_certified(1.0 - margin, one**removed, two**added)
    top = min(1.0, max(0.0, (1.0 + margin) / 2.0))
    return length_lower_bound(top, rates, length, unmatched_source=removed, unmatched_target=added) > 0.5
