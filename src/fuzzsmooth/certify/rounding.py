"""Rounding, so that nothing is claimed that was not shown: of numbers in sentences, of answers of models."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import cached_property
from typing import Any, Literal, get_args

from fuzzsmooth.common.options import require

Undecided = Literal["counted against", "rechecked"]
Batches = Literal["fixed", "shared"]


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

    @cached_property  # the same clause for all certificates of a classifier
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
