"""Hybrid strata: the shortest remainders of a text exactly, the rest by sampling.

Masks that keep at most J units are enumerated, the rest is sampled given that more than J are kept. With e_c
the exact part of class c and ``mass`` = P[at most J kept],

    p_c = e_c + (1 - mass) * P[h = c | more than J kept],

so a Clopper-Pearson bound on the one unknown gives a bound on p_c without any correction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy.special import bdtr

from fuzzsmooth.certify.bounds import clopper_pearson_lower
from fuzzsmooth.certify.rates import RATE_BITS, checked_rate, exact_rate, rate_numerator
from fuzzsmooth.common.options import require

# Sums over thousands of products of rates round by about 1e-13.
_ROUNDING = 1e-11

MOST_MASS = 0.9999
"""Mass beyond which the rest is not sampled: rejection would have to throw nearly everything away."""


def stratum_mass(length: int, rate: float, most_kept: int) -> float:
    """Probability that at most ``most_kept`` of ``length`` units survive deletion."""
    return 1.0 if most_kept >= length else float(bdtr(most_kept, length, 1.0 - checked_rate(rate)))


def low_masks(length: int, most_kept: int) -> Iterator[int]:
    """All masks that keep at most ``most_kept`` units, fewest first."""
    for kept in range(min(most_kept, length) + 1):
        for chosen in combinations(range(length), kept):
            yield sum(1 << unit for unit in chosen)


def mask_probability(mask: int, length: int, rate: float) -> float:
    """Probability that exactly the units of ``mask`` survive uniform deletion."""
    kept = mask.bit_count()
    rate = checked_rate(rate)
    return (1.0 - rate) ** kept * rate ** (length - kept)


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

    By rejection of integer coins, so the law is exact; cost grows as 1 / (1 - mass).

    Raises:
        FuzzsmoothError: If the coins do not have that rate, no mask can keep that many units, or practically
            none does.
    """
    require(
        exact_rate(rate) == rate,
        f"32-bit coins do not have the rate {rate!r}; give exact_rate({rate!r}), here and to every bound",
    )
    require(most_kept < length, f"no mask of {length} units keeps more than {most_kept}")
    require(
        stratum_mass(length, rate, most_kept) < MOST_MASS,
        "too little is left to sample from",
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
    return hybrid_probability(exact_part, mass, rest)


def hybrid_probability(exact_part: float, mass: float, rest: float) -> float:
    """Lower bound on p_c from one on its probability among the masks that were not enumerated."""
    if mass == 0.0:
        return rest
    return max(0.0, exact_part + max(0.0, 1.0 - mass) * rest - _ROUNDING)


def hybrid_upper(exact_part: float, undecided: float, mass: float, rest: float) -> float:
    """Upper bound on p_c from one on its probability among the masks that were not enumerated.

    Args:
        exact_part: Enumerated probability of the class.
        undecided: Enumerated probability of answers that may be any class's.
        mass: P[at most J kept].
        rest: The upper bound, in [0, 1].
    """
    if mass == 0.0:
        return rest
    return min(1.0, exact_part + max(0.0, undecided) + max(0.0, 1.0 - mass) * rest + _ROUNDING)


def conditional_level(level: float, exact_part: float, mass: float) -> float:
    """What the probability among the other masks must exceed for p_c to exceed ``level``, rounded up.

    Returns:
        A number, at most 0 if the exact part suffices and at least 1 if nothing can.
    """
    if mass == 0.0:
        return level
    return (level + 2 * _ROUNDING - exact_part) / max(1.0 - mass, _ROUNDING)
