"""Certificates without sampling error: all masks of a short text.

Theorem 2b: for any common subsequence z = x minus S, p_c(x') >= w^b p_c(x minus S), so with all masks known

    M(x') >= w^b (1 + min over |S| <= a of M(x minus S)) - 1.

It is attained by fresh units, hence the best any certificate can do that asks h on subsequences of x only.
Answers of h that are not to be relied on (inside the numerical guard band) count against the top class: they
may be any other's.

Checked by machine (``make proofs``): ``proofs/T2b.v`` (T2b_edits, T2b_insertions, T2b_deletions,
T2b_mixtures).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify.theorems.edit import checked_rate, maximal_pairs
from fuzzsmooth.certify.threats import Threat
from fuzzsmooth.common.options import require

# 2^20 masks are a million passes: beyond that exact enumeration is a mistake, not a choice.
MOST_UNITS = 20

# Sums over up to 2^20 products of rates round by about 1e-13.
_ROUNDING = 1e-11

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ExactProbabilities:
    """Exact class probabilities of a text and of all its subsequences under uniform deletion.

    Attributes:
        by_mask: Row m holds the class probabilities of the deleted text when only the units of mask m are
            there; shape (2**n, classes). The last row is the text itself. What a row lacks to 1 is undecided.
        rate: The deletion rate; with a rate per unit, the lowest one of any unit there is, which the
            units of an attacker have.
    """

    by_mask: Probabilities
    rate: float

    @property
    def length(self) -> int:
        """Units n of the text."""
        return len(self.by_mask).bit_length() - 1

    @property
    def probabilities(self) -> Probabilities:
        """Class probabilities of the text, shape (classes,)."""
        return np.asarray(self.by_mask[-1])

    @property
    def label(self) -> int:
        """Its top class, ties to the lower index."""
        return int(self.probabilities.argmax())

    @property
    def p_lower(self) -> float:
        """Lower bound on the probability of the top class, rounded down."""
        return float(max(0.0, self.probabilities[self.label] - _ROUNDING))

    @property
    def p_upper(self) -> float:
        """Upper bound on the probability of every other class, rounded up."""
        others = np.delete(self.probabilities, self.label)
        undecided = 1.0 - self.probabilities.sum()
        return float(min(1.0, others.max() + max(0.0, undecided) + _ROUNDING))

    def lowest_margins(self) -> Probabilities:
        """Smallest margin of the top class after deleting at most a units, for a = 0..n, shape (n + 1,)."""
        others = np.delete(self.by_mask, self.label, axis=1)
        undecided = np.clip(1.0 - self.by_mask.sum(axis=1), 0.0, 1.0)
        margins = self.by_mask[:, self.label] - others.max(axis=1) - undecided
        deleted = self.length - np.bitwise_count(np.arange(len(margins), dtype=np.uint32)).astype(int)
        lowest = np.array([margins[deleted == size].min() for size in range(self.length + 1)])
        return np.minimum.accumulate(lowest)


def exact_probabilities(
    outcomes: npt.ArrayLike, rate: float, *, unit_rates: Sequence[float] | None = None
) -> ExactProbabilities:
    """Class probabilities from the base classifier's answers on every mask.

    Args:
        outcomes: Row m holds the base classifier's class probabilities on what mask m keeps (one-hot rows for
            labels), shape (2**n, classes), n <= 20; bit i of m says that unit i is kept. A row may sum to
            less than 1 (all zeros for an answer inside the guard band): the rest is undecided.
        rate: Deletion rate, in [0, 1), used as given.
        unit_rates: The rate of each unit, shape (n,), none below ``rate``; ``None``: the same for all.

    Raises:
        FuzzsmoothError: If the shape is not (2**n, >= 2), rows are not probabilities, or rates do not fit.
    """
    table = np.array(outcomes, dtype=np.float64)
    require(
        table.ndim == 2 and table.shape[1] >= 2,
        f"outcomes must be (2**n, classes), got {table.shape}",
    )
    masks = table.shape[0]
    length = masks.bit_length() - 1
    require(masks == 1 << length, f"outcomes must have a row for each of 2**n masks, got {masks} rows")
    require(length <= MOST_UNITS, f"exact enumeration is limited to {MOST_UNITS} units, got {length}")
    require(
        bool((table >= 0).all() and (table.sum(axis=1) <= 1.0 + 1e-9).all()),
        "each row of outcomes must hold probabilities that sum to at most 1",
    )
    lowest = checked_rate(rate)
    rates = [lowest] * length if unit_rates is None else [checked_rate(value) for value in unit_rates]
    require(len(rates) == length, f"{len(rates)} rates for {length} units; give one rate per unit")
    require(min(rates, default=lowest) >= lowest, f"no unit may have a rate below the lowest, {rate}")
    for unit, own in enumerate(rates):
        halves = table.reshape(masks >> (unit + 1), 2, 1 << unit, -1)  # [.., bit of this unit, ..]
        halves[:, 1] = (1.0 - own) * halves[:, 1] + own * halves[:, 0]
    return ExactProbabilities(np.clip(table, 0.0, 1.0), lowest)


def exact_radius(exact: ExactProbabilities, threat: Threat = "edit") -> int:
    """Theorem 2b radius: at least the radius of Theorem 1 at the same probabilities, with certainty.

    Args:
        exact: Probabilities of the text and its subsequences.
        threat: As in :func:`fuzzsmooth.certify.radius`.

    Returns:
        The radius, -1 if the top class is not unique; n is the cap of ``delete``.
    """
    lowest = exact.lowest_margins()

    def fails(size: int) -> bool:
        margin = lowest[0] if threat == "insert" else lowest[min(size, exact.length)]
        fresh = 1.0 if threat == "delete" else exact.rate**size
        return not fresh * (1.0 + margin) > 1.0 + _ROUNDING

    limit = exact.length if threat == "delete" else _furthest(exact.rate)
    return bisect_left(range(limit + 1), True, key=fails) - 1


def exact_frontier(exact: ExactProbabilities, *, most: int = 1000) -> tuple[tuple[int, int], ...]:
    """Theorem 2b for mixtures: as :func:`fuzzsmooth.certify.frontier`, with certainty.

    Args:
        exact: Probabilities of the text and its subsequences.
        most: Insertions listed at most, >= 0.

    Returns:
        Pairs (inserted, deleted), none within another; empty if the top class is not unique.
    """
    require(most >= 0, f"the most insertions listed must be at least 0, got {most}")
    shared = 1.0 + exact.lowest_margins()
    reached = []
    for inserted in range(min(most, exact_radius(exact, "insert")) + 1):
        fails = ~(exact.rate**inserted * shared > 1.0 + _ROUNDING)
        reached.append(int(fails.argmax()) - 1 if fails.any() else exact.length)
    return maximal_pairs(reached)


def _furthest(rate: float) -> int:
    """More insertions than any margin allows: w^b <= 1/2."""
    return math.ceil(math.log(2.0) / -math.log(rate)) if rate > 0.0 else 1
