"""Theorem 1n against the exact worst base classifier; rates that look at the units break it (control)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from guarantee_universe import Tally, Text, deletion_law, universe, worst_margin
from guarantee_universe import worst_probability as worst

from fuzzsmooth.certify import LengthRates, length_lower_bound, length_radius

LEVELS = np.array([0.55, 0.7, 0.85, 0.97, 1.0])
SPACES = [(2, 4), (3, 3), pytest.param((2, 6), marks=pytest.mark.slow)]
RATES = [
    LengthRates((2,), (0.5, 0.8)),
    LengthRates((1, 3), (0.9, 0.4, 0.7)),
    LengthRates((0, 1, 2, 3, 4), (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
]
# The bound gives away a 1e-12 of the multiplier; ratios of these rates stay below a hundred thousand.
ATTAINED = 1e-6


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rates", RATES)
def test_bounds_and_radii(space: tuple[int, int], rates: LengthRates) -> None:
    everything = universe(*space)
    law = deletion_law(everything, lambda text: (rates.rate(len(text)),) * len(text))
    radii = {
        (length, threat): [length_radius(p, rates, length, threat) for p in LEVELS]
        for length in range(space[1] + 1)
        for threat in ("edit", "insert", "delete")
    }
    bound, kept, crossed = Tally(), Tally(), 0
    for i, j in everything.pairs():
        length, a, b = (int(matrix) for matrix in _unmatched(everything, i, j))
        claimed = [
            length_lower_bound(p, rates, length, unmatched_source=a, unmatched_target=b) for p in LEVELS
        ]
        bound.add(worst(law[i], law[j], LEVELS), claimed)
        crossed += rates.rate(length) != rates.rate(length - a + b)
        margin = worst_margin(law[i], law[j], 2 * LEVELS - 1)
        for threat, size in (
            ("edit", everything.distance[i, j]),
            ("insert", b if a == 0 else 99),
            ("delete", a if b == 0 else 99),
        ):
            inside = np.array(radii[length, threat]) >= size
            kept.add(margin[inside], np.full(int(inside.sum()), 1e-15))
    assert bound.violations == 0
    assert abs(bound.slack) < ATTAINED, "no pair attains the bound: it is looser than the theorem"
    assert kept.violations == 0
    assert kept.checked > 20
    assert crossed > 0, "no pair has two rates: nothing new was tested"


def _unmatched(everything, i: int, j: int) -> tuple[int, int, int]:
    return everything.lengths[i], everything.source[i, j], everything.target[i, j]


def test_texts_of_distinct_units_attain_the_bound() -> None:
    """No unit occurs twice in a text: the law knows all that the proof conditions on."""
    rates, levels = LengthRates((3,), (0.5, 0.8)), np.array([0.7, 0.95])
    for length in range(1, 5):
        for a in range(length + 1):
            for b in range(3):
                source = _law_of(tuple(range(length)), rates)
                target = _law_of((*range(length - a), *range(4, 4 + b)), rates)
                outcomes = sorted({*source, *target})
                true = worst(
                    *(np.array([law.get(one, 0.0) for one in outcomes]) for law in (source, target)), levels
                )
                claimed = [
                    length_lower_bound(p, rates, length, unmatched_source=a, unmatched_target=b)
                    for p in levels
                ]
                assert true == pytest.approx(claimed, abs=ATTAINED)


def _law_of(text: Text, rates: LengthRates) -> dict[Text, float]:
    rate = rates.rate(len(text))
    return {
        kept: (1 - rate) ** size * rate ** (len(text) - size)
        for size in range(len(text) + 1)
        for kept in itertools.combinations(text, size)
    }


def test_control_pretending_that_the_rate_is_one() -> None:
    """Theorem 1 at the rate of the text, as if the other had it too, claims too much across a boundary."""
    everything, rates, tally = universe(2, 4), LengthRates((2,), (0.5, 0.9)), Tally()
    law = deletion_law(everything, lambda text: (rates.rate(len(text)),) * len(text))
    for i, j in everything.pairs():
        length, a, b = _unmatched(everything, i, j)
        alone = LengthRates((), (rates.rate(int(length)),))
        claimed = [
            length_lower_bound(p, alone, int(length), unmatched_source=int(a), unmatched_target=int(b))
            for p in LEVELS
        ]
        tally.add(worst(law[i], law[j], LEVELS), claimed)
    assert tally.violations > tally.checked / 20, "the checker would not notice a wrong bound"
