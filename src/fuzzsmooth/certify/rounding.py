"""Rounding, so that nothing is claimed that was not shown: of rates, of numbers in sentences, of answers.

Every bound is computed at the rate it is given. A sampler of integer coins deletes a unit if ``uniform
32-bit word < numerator``, with probability exactly numerator / 2**32, a float64 without rounding error. Votes
drawn with such coins are bounded at :func:`exact_rate`, not at the decimal that was typed: near a threshold
the two can differ by one in a radius.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, Literal, get_args

from fuzzsmooth.common.options import require

RATE_BITS = 32
"""Bits of a deletion coin."""

_DENOMINATOR = 1 << RATE_BITS

Undecided = Literal["counted against", "rechecked"]
Batches = Literal["fixed", "shared"]


def checked_rate(rate: float) -> float:
    """The rate itself, once it is known to be one.

    Raises:
        FuzzsmoothError: If the rate is not in [0, 1).
    """
    require(
        isinstance(rate, float | int) and math.isfinite(rate) and 0.0 <= rate < 1.0,
        f"a deletion rate must lie in [0, 1), got {rate!r}",
    )
    return float(rate)


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


def complement_upper(p_lower: float) -> float:
    """1 - p_lower, rounded up: an upper bound on every probability that shares the simplex with it."""
    return min(1.0, math.nextafter(1.0 - p_lower, math.inf)) if p_lower > 0.0 else 1.0


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


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """What was done about answers so close to a tie that rounding might decide them.

    Attributes:
        precision: Number type of the model passes, such as "bfloat16"; empty where the classifier tells none.
        function: Number type of the function that the certificate is about: "float32" where deviations from
            float32 were measured, else that of the passes.
        guard: Guard band, a finite logit margin >= 0. An answer whose two best logits differ by at most this
            is undecided. 0: every answer was taken as it was computed.
        measured: Whether the band was measured for this model; otherwise it was given, or there is none.
        undecided: What became of undecided answers: "counted against" every certificate, or "rechecked", that
            is asked again in ``function``'s number type.
        batches: "fixed" where every text is evaluated in a batch of one shape for its length, which makes the
            answer a function of the text bit by bit; "shared" where it shares batches with others.
        recheck_guard: Guard band of the second answers, in logits; what is inside counts against.
    """

    precision: str
    function: str
    guard: float
    measured: bool
    undecided: Undecided = "counted against"
    recheck_guard: float = 0.0
    batches: Batches = "shared"

    def __post_init__(self) -> None:
        for name in ("guard", "recheck_guard"):
            value = getattr(self, name)
            require(
                math.isfinite(value) and value >= 0,
                f"Rounding.{name}: must be a finite number >= 0, got {value!r}",
            )
        for name, choices in (("undecided", get_args(Undecided)), ("batches", get_args(Batches))):
            choice = getattr(self, name)
            require(choice in choices, f"Rounding.{name}: {choice!r} is not one of {', '.join(choices)}")
        require(
            self.undecided == "rechecked" or self.recheck_guard == 0,
            "Rounding.recheck_guard: there is none where nothing is rechecked",
        )

    @property
    def condition(self) -> str | None:
        """What a claim presupposes of the rounding, as a clause that can follow "provided that"; else None.

        In fixed batches, and where the classifier tells no number type, answers are the function itself.
        Otherwise those outside the band are believed, and a band that was measured on a sample is an
        estimate: a model may round worst where nobody looked, such as at its trigger.
        """
        if self.precision == "" or self.batches == "fixed":
            return None
        origin = "as measured on a sample" if self.measured else "as given by the user"
        cause = "the batch that a text is evaluated in" if self.precision == "float32" else self.precision
        return (
            f"{cause} moves no margin between two logits by more than the guard band of"
            f" {floored(self.guard)} ({origin})"
        )

    def to_mapping(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)
