"""Certificates without sampling error: all masks of a short text, or its shortest remainders exactly.

Theorem 2b: for any common subsequence z = x minus S, p_c(x') >= w^b p_c(x minus S), so with all masks known

    M(x') >= w^b (1 + min over |S| <= a of M(x minus S)) - 1.

It is attained by fresh units, hence the best any certificate can do that asks h on subsequences of x only.

Hybrid: masks that keep at most J units are enumerated, the rest sampled given that more than J are kept; then
p >= exact part + (1 - mass) * Clopper-Pearson, with one unknown and so no correction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from fuzzsmooth.certify.bounds import clopper_pearson_lower
from fuzzsmooth.certify.edit import NOT_CERTIFIED, UNBOUNDED, Threat
from fuzzsmooth.certify.rates import RATE_BITS, exact_rate, rate_numerator
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
            there; shape (2**n, classes). The last row is the text itself.
        rate: The exact deletion rate.
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

    def lowest_margins(self) -> Probabilities:
        """Smallest margin of the top class after deleting at most a units, for a = 0..n, shape (n + 1,)."""
        others = np.delete(self.by_mask, self.label, axis=1)
        margins = self.by_mask[:, self.label] - others.max(axis=1)
        deleted = self.length - np.bitwise_count(np.arange(len(margins), dtype=np.uint32)).astype(int)
        lowest = np.array([margins[deleted == size].min() for size in range(self.length + 1)])
        return np.minimum.accumulate(lowest)


def exact_probabilities(outcomes: npt.ArrayLike, rate: float) -> ExactProbabilities:
    """Class probabilities from the base classifier's answers on every mask.

    Args:
        outcomes: Row m holds the base classifier's class probabilities on what mask m keeps (one-hot rows for
            labels), shape (2**n, classes), n <= 20; bit i of m says that unit i is kept.
        rate: Deletion rate, in [0, 1).

    Raises:
        FuzzsmoothError: If the shape is not (2**n, >= 2) or rows are not probabilities.
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
        bool((table >= 0).all() and np.allclose(table.sum(axis=1), 1.0)), "each row of outcomes must sum to 1"
    )
    exact = exact_rate(rate)
    for unit in range(length):
        halves = table.reshape(masks >> (unit + 1), 2, 1 << unit, -1)  # [.., bit of this unit, ..]
        halves[:, 1] = (1.0 - exact) * halves[:, 1] + exact * halves[:, 0]
    return ExactProbabilities(np.clip(table, 0.0, 1.0), exact)


def exact_radius(exact: ExactProbabilities, threat: Threat = "edit") -> int:
    """Theorem 2b radius: at least the radius of Theorem 1 at the same probabilities, with certainty.

    Args:
        exact: Probabilities of the text and its subsequences.
        threat: As in :func:`fuzzsmooth.certify.edit.radius`.

    Returns:
        The radius, -1 if the top class is not unique; n is the cap of ``delete``.
    """
    lowest = exact.lowest_margins()
    size = NOT_CERTIFIED
    limit = exact.length if threat == "delete" else UNBOUNDED
    while size < limit:
        following = size + 1
        margin = lowest[0] if threat == "insert" else lowest[min(following, exact.length)]
        fresh = 1.0 if threat == "delete" else exact.rate**following
        if not fresh * (1.0 + margin) > 1.0 + _ROUNDING:
            break
        size = following
    return size


def stratum_mass(length: int, rate: float, most_kept: int) -> float:
    """Probability that at most ``most_kept`` of ``length`` units survive deletion."""
    return 1.0 if most_kept >= length else float(bdtr(most_kept, length, 1.0 - exact_rate(rate)))


def low_masks(length: int, most_kept: int) -> Iterator[int]:
    """All masks that keep at most ``most_kept`` units, fewest first."""
    for kept in range(min(most_kept, length) + 1):
        for chosen in combinations(range(length), kept):
            yield sum(1 << unit for unit in chosen)


def mask_probability(mask: int, length: int, rate: float) -> float:
    """Probability that exactly the units of ``mask`` survive uniform deletion."""
    kept = mask.bit_count()
    exact = exact_rate(rate)
    return (1.0 - exact) ** kept * exact ** (length - kept)


def plan_hybrid(length: int, rate: float, passes: int) -> int | None:
    """The largest J worth enumerating within a pass budget, or ``None`` if plain sampling is as good.

    Compares (1 - mass) / sqrt(passes - cost) with 1 / sqrt(passes), the sizes of the sampling errors.
    """
    best, least, cost = None, 1.0 / math.sqrt(max(passes, 1)), 0
    for kept in range(length + 1):
        cost += math.comb(length, kept)
        if cost >= passes:
            break
        error = (1.0 - stratum_mass(length, rate, kept)) / math.sqrt(passes - cost)
        if error < least:
            best, least = kept, error
    return best


def sample_high_masks(
    length: int, rate: float, most_kept: int, draws: int, generator: np.random.Generator
) -> list[int]:
    """Independent masks of uniform deletion given that more than ``most_kept`` units survive.

    By rejection of integer coins, so the law is exact at the represented rate; cost grows as 1 / (1 - mass).

    Raises:
        FuzzsmoothError: If no mask can keep that many units, or practically none does.
    """
    require(most_kept < length, f"no mask of {length} units keeps more than {most_kept}")
    require(
        stratum_mass(length, rate, most_kept) < 0.9999, "the enumerated masks leave too little to sample from"
    )
    numerator, found = rate_numerator(rate), list[int]()
    weights = [1 << unit for unit in range(length)]
    while len(found) < draws:
        coins = generator.integers(1 << RATE_BITS, size=(1024, length), dtype=np.uint64) >= numerator
        for row in coins[coins.sum(axis=1) > most_kept]:
            found.append(sum(weight for weight, kept in zip(weights, row.tolist(), strict=True) if kept))
    return found[:draws]


def hybrid_lower_bound(exact_part: float, mass: float, successes: int, trials: int, *, alpha: float) -> float:
    """Lower bound on p from an enumerated stratum and conditional draws from the rest.

    Args:
        exact_part: P[label and at most J kept], the summed mask probabilities with that label, <= mass.
        mass: P[at most J kept].
        successes: Draws with the label, among conditional draws with more than J kept.
        trials: Number of these draws; 0 leaves the rest unclaimed.
        alpha: Failure probability, in (0, 1).

    Returns:
        A lower bound on P[label], rounded down, which holds except with probability alpha.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    require(
        0.0 <= exact_part <= mass + _ROUNDING and mass <= 1.0 + _ROUNDING,
        f"the exact part {exact_part!r} must lie between 0 and the mass {mass!r}",
    )
    rest = clopper_pearson_lower(successes, trials, alpha) if trials else 0.0
    return max(0.0, exact_part + max(0.0, 1.0 - mass) * rest - _ROUNDING)
