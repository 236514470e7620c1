"""Numbers in sentences, rounded so that what is read is never more than what was shown."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal


def floored(value: float, digits: int = 6) -> str:
    """The number at so many significant digits, rounded down: for radii, budgets and shares that are claimed.

    Args:
        value: A finite number.
        digits: Significant digits, >= 1.

    Returns:
        Plain digits; read back as a float it is at most ``value``.
    """
    return _shown(value, digits, ROUND_FLOOR)


def ceiled(value: float, digits: int = 6) -> str:
    """As :func:`floored`, rounded up: for costs and probabilities of error."""
    return _shown(value, digits, ROUND_CEILING)


def _shown(value: float, digits: int, rounding: str) -> str:
    exact = Decimal(repr(float(value)))  # the shortest digits that are read back as this very number
    if exact == exact.to_integral_value():
        return f"{exact:.0f}"
    return f"{Context(prec=digits, rounding=rounding).create_decimal(exact).normalize():f}"
