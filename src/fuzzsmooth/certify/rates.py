"""Deletion rates as the sampler uses them: whole multiples of 2**-32.

A deletion coin is the integer comparison ``uniform 32-bit word < numerator``, so a unit is deleted with
probability exactly numerator / 2**32. That fraction is a float64 without rounding error, and certificates are
computed from it, not from the decimal the user typed.
"""

from __future__ import annotations

import math

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
    require(
        isinstance(rate, float | int) and math.isfinite(rate) and 0.0 <= rate < 1.0,
        f"a deletion rate must lie in [0, 1), got {rate!r}",
    )
    numerator = round(rate * _DENOMINATOR)
    require(numerator < _DENOMINATOR, f"the deletion rate {rate!r} is too near to 1; use at most 1 - 2**-32")
    return numerator


def exact_rate(rate: float) -> float:
    """The deletion rate that is really applied for a wanted ``rate``: the nearest multiple of 2**-32.

    Raises:
        FuzzsmoothError: As :func:`rate_numerator`.
    """
    return rate_numerator(rate) / _DENOMINATOR
