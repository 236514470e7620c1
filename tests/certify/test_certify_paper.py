"""The published formula is conditional: the counterexample, by exact enumeration."""

from __future__ import annotations

import itertools

import pytest

from fuzzsmooth.certify import CONDITION, conditional_radius, corollary_factor, corollary_radius, radius
from fuzzsmooth.certify.edit import ROUNDING
from fuzzsmooth.common.errors import FuzzsmoothError

RATE_LOW, RATE_HIGH, RATE_UNIFORM = 0.7, 0.95, 0.7


def probability_of_a(trigger_units: int, rate: float) -> float:
    """P[no trigger unit survives] by enumerating all masks; h answers A iff none does."""
    return sum(
        rate ** (trigger_units - sum(mask)) * (1 - rate) ** sum(mask)
        for mask in itertools.product((0, 1), repeat=trigger_units)
        if not any(mask)
    )


def test_counterexample_two_words_flip_where_the_formula_claims_thirteen() -> None:
    p_clean = probability_of_a(0, RATE_LOW)
    assert p_clean == 1.0
    old = 1.9433  # ln(1/2) / ln(.7), the real-valued radius of p_A = 1
    claimed = corollary_radius(old, RATE_UNIFORM, RATE_HIGH)
    assert int(claimed) == 13
    assert conditional_radius(p_clean, RATE_HIGH) == 13

    # The search misses (it flags decoys), so the trigger is deleted at the low rate: already r = 2 flips.
    assert probability_of_a(1, RATE_LOW) == pytest.approx(0.7)
    assert probability_of_a(2, RATE_LOW) == pytest.approx(0.49)
    assert probability_of_a(2, RATE_LOW) < 0.5 < probability_of_a(1, RATE_LOW)
    assert radius(p_clean, RATE_LOW, "insert") == 1, "the proved radius at the low rate does not overclaim"


def test_under_its_condition_the_formula_holds() -> None:
    """If the whole trigger is always found, it is deleted at the high rate, and 13 units do not flip."""
    claimed = conditional_radius(1.0, RATE_HIGH)
    assert probability_of_a(claimed, RATE_HIGH) > 0.5
    assert probability_of_a(claimed + 1, RATE_HIGH) < 0.5 + ROUNDING


def test_theorem_1_binary_form() -> None:
    assert conditional_radius(0.9, 0.95) == max(r for r in range(50) if 0.95**r > 1.5 - 0.9)
    assert conditional_radius(0.5, 0.95) == -1


def test_corollary_factor() -> None:
    assert corollary_factor(0.7, 0.95) == pytest.approx(6.95, abs=0.01)
    assert corollary_factor(0.9, 0.9) == 1.0
    assert "vulnerable area" in CONDITION
    for uniform, high in ((0.0, 0.9), (0.9, 0.0), (1.0, 0.9)):
        with pytest.raises(FuzzsmoothError):
            corollary_factor(uniform, high)
    with pytest.raises(FuzzsmoothError):
        corollary_radius(-1.0, 0.7, 0.95)
