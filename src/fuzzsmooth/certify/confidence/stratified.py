"""Two strata of deletions: the shortest remainders of a text exactly, the rest by sampling.

Masks that keep at most J units are enumerated, the rest is sampled given that more than J are kept. With e_c
the exact part of class c and ``mass`` = P[at most J kept],

    p_c = e_c + (1 - mass) * P[h = c | more than J kept],

which :class:`fuzzsmooth.certify.Strata` bounds. Bit i of a mask says that unit i is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from fuzzsmooth.certify.rates import RATE_BITS, exact_rate, rate_numerator
from fuzzsmooth.certify.theorems.edit import checked_rate
from fuzzsmooth.common.options import require

MOST_MASS = 0.9999
"""Mass beyond which the rest is not sampled: rejection would have to throw nearly everything away."""


def stratum_mass(length: int, rate: float, most_kept: int) -> float:
    """Probability that at most ``most_kept`` of ``length`` units survive deletion."""
    from scipy.special import bdtr

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


def plan_strata(length: int, rate: float, passes: int) -> int | None:
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
