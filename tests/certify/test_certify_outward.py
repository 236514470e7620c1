"""What is printed is never more than what was shown, also for whoever adds up what is printed."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.certify import (
    ceiled,
    clopper_pearson_lower,
    exact_rate,
    floored,
    insertion_budget,
    radius,
    removal_budget,
    weight_radius,
)

NUMBERS = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False) | st.integers(-(10**9), 10**9)


@given(NUMBERS, st.integers(1, 8))
def test_numbers_are_rounded_to_the_named_side(value: float, digits: int) -> None:
    down, up = float(floored(value, digits)), float(ceiled(value, digits))
    assert down <= value <= up
    assert Fraction(up) - Fraction(down) <= Fraction(10) ** (1 - digits) * abs(Fraction(value)) * 11


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.001, "0.001"), (3, "3"), (2.0, "2"), (0.0, "0"), (1 / 3, "0.333333"), (1e-7, "0.0000001")],
)
def test_what_can_be_written_is_written_as_it_is(value: float, shown: str) -> None:
    assert floored(value) == shown


def test_budgets_of_all_votes_are_printed_from_below() -> None:
    for votes in range(900, 1001):
        p_lower = clopper_pearson_lower(votes, 1000, 1e-3)
        for found in (insertion_budget(p_lower), removal_budget(p_lower), weight_radius(p_lower)):
            assert float(floored(found)) <= found


def test_whoever_adds_printed_costs_stays_within_what_is_proved() -> None:
    """Insertions bought from the printed budget at the printed price of a unit are covered, all of them."""
    bought = 0
    for votes in range(500, 1001, 3):
        p_lower = clopper_pearson_lower(votes, 1000, 1e-3)
        budget = Fraction(floored(insertion_budget(p_lower)))
        for hundredths in range(50, 100, 7):
            rate = exact_rate(hundredths / 100)
            price = Fraction(ceiled(-math.log(rate), 3))
            affordable = budget // price
            if affordable >= 1:
                bought += 1
                assert radius(p_lower, rate, "insert") >= affordable
    assert bought > 100
