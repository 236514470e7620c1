"""Deletion rates as 32-bit coins apply them.

Every bound is computed at the rate it is given. A sampler of integer coins deletes a unit if ``uniform
32-bit word < numerator``, with probability exactly numerator / 2**32, a float64 without rounding error. Votes
drawn with such coins are bounded at :func:`exact_rate`, not at the decimal that was typed: near a threshold
the two can differ by one in a radius.
"""

from __future__ import annotations

from fuzzsmooth.certify.theorems.edit import checked_rate
from fuzzsmooth.common.options import require

RATE_BITS = 32
"""Bits of a deletion coin."""

_DENOMINATOR = 1 << RATE_BITS


def rate_numerator(rate: float) -> int:
    """The integer k in 0..2**32 - 1 for which a 32-bit deletion coin succeeds with probability k / 2**32.

    Args:
        rate: Wanted deletion rate, in [0, 1); rounded to the nearest representable one.

    Raises:
        FuzzsmoothError: If the rate is not in [0, 1) or rounds to 1 (every text would become empty).
    """
    numerator = round(checked_rate(rate) * _DENOMINATOR)
    require(numerator < _DENOMINATOR, f"the deletion rate {rate!r} is too near to 1; use at most 1 - 2**-32")
    return numerator


def exact_rate(rate: float) -> float:
    """The deletion rate that 32-bit coins apply for a wanted ``rate``: the nearest multiple of 2**-32.

    Raises:
        FuzzsmoothError: As :func:`rate_numerator`.
    """
    return rate_numerator(rate) / _DENOMINATOR
