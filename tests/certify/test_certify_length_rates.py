"""Rates by length: Theorem 1 where the rate is one, an independent knapsack, the lowest rate, bad rates."""

from __future__ import annotations

import math

import pytest

from deletion_bounds import lower_bound
from fuzzsmooth.certify import (
    LengthRates,
    Threat,
    frontier,
    length_frontier,
    length_lower_bound,
    length_radius,
    radius,
)
from fuzzsmooth.common.errors import FuzzsmoothError

THREATS: tuple[Threat, ...] = ("edit", "insert", "delete", "substitute", "transpose")


def knapsack(p_lower: float, rates: LengthRates, length: int, a: int, b: int) -> float:
    """The least sum of Q h, filled atom by atom, the smallest ratio first."""
    common = length - a
    one, two = rates.rate(length), rates.rate(common + b)
    atoms = [
        (
            one**a * math.comb(common, k) * (1 - one) ** k * one ** (common - k),
            two**b * math.comb(common, k) * (1 - two) ** k * two ** (common - k),
        )
        for k in range(common + 1)
    ]
    need, total = p_lower - 1 + one**a, 0.0
    for source, target in sorted(atoms, key=lambda atom: atom[1] / atom[0]):
        share = min(1.0, max(0.0, need) / source)
        need -= share * source
        total += share * target
    return total


@pytest.mark.parametrize("ends_rates", [((4,), (0.4, 0.9)), ((2, 7), (0.9, 0.5, 0.8)), ((), (0.7,))])
@pytest.mark.parametrize("length", [0, 3, 5, 8, 30])
@pytest.mark.parametrize("p_lower", [0.5, 0.8, 0.97, 1.0])
def test_the_bound_is_the_knapsack(
    ends_rates: tuple[tuple[int, ...], tuple[float, ...]], length: int, p_lower: float
) -> None:
    rates = LengthRates(*ends_rates)
    for a in range(min(length, 3) + 1):
        for b in range(4):
            found = length_lower_bound(p_lower, rates, length, unmatched_source=a, unmatched_target=b)
            exact = knapsack(p_lower, rates, length, a, b)
            assert found <= exact + 1e-13
            assert found == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize("rate", [0.5, 0.9])
@pytest.mark.parametrize("p_lower", [0.4, 0.6, 0.83, 0.99])
def test_one_rate_is_theorem_one(rate: float, p_lower: float) -> None:
    rates = LengthRates((5,), (rate, rate))
    for threat in THREATS:
        expected = radius(p_lower, rate, threat, length=40)
        assert length_radius(p_lower, rates, 40, threat) == expected
        # A short text has not so many units to lose.
        short = length_radius(p_lower, rates, 3, threat)
        assert short >= min(expected, 3) if threat != "insert" else short == expected
    bound = length_lower_bound(p_lower, rates, 7, unmatched_source=1, unmatched_target=2)
    assert bound == pytest.approx(lower_bound(p_lower, rate, unmatched_source=1, unmatched_target=2))


def test_far_from_a_boundary_only_the_rate_of_the_text_counts() -> None:
    rates = LengthRates((50,), (0.6, 0.9))
    for threat in ("edit", "insert", "delete"):
        assert length_radius(0.97, rates, 20, threat) == radius(0.97, 0.6, threat, length=20)
        assert length_radius(0.97, rates, 500, threat) == radius(0.97, 0.9, threat)
    # Insertions that carry the text over the boundary cost more than those that do not.
    assert length_radius(0.97, rates, 50, "insert") < radius(0.97, 0.6, "insert")
    assert length_radius(0.97, rates, 51, "delete") < radius(0.97, 0.9, "delete")
    assert length_radius(0.97, rates, 50, "substitute") == radius(0.97, 0.6, "substitute")


def test_two_classes_and_runner_ups_agree() -> None:
    rates = LengthRates((6,), (0.5, 0.8))
    for length in (5, 6, 7, 12):
        for threat in THREATS:
            assert length_radius(0.9, rates, length, threat) == length_radius(
                0.9, rates, length, threat, p_upper=0.1
            )
            assert length_radius(0.8, rates, length, threat, p_upper=0.05) >= length_radius(
                0.8, rates, length, threat
            )


def test_long_texts_and_certain_answers() -> None:
    rates = LengthRates((1000,), (0.9, 0.95))
    assert length_radius(1.0, rates, 3, "delete") == 3
    assert length_radius(0.99, rates, 1003, "edit") >= 1
    assert 0.0 <= length_lower_bound(1.0, rates, 5000, unmatched_source=0, unmatched_target=0) <= 1.0
    assert length_radius(0.99, LengthRates((), (0.9999,)), 10_000, "insert", most=7) == 7


@pytest.mark.parametrize("kept", [0.01, 1.36, 2.0, 7.5])
def test_kept_units_are_the_expected_number_that_is_left(kept: float) -> None:
    rates = LengthRates.keeping(kept, 0.3, 0.95)
    for length in range(1, 400):
        assert rates.rate(length) == pytest.approx(min(0.95, max(0.3, 1 - kept / length)), abs=1e-15)
        if 0.3 < rates.rate(length) < 0.95:
            assert length * (1 - rates.rate(length)) == pytest.approx(kept)
    assert rates.rate(0) == rates.rate(1)
    assert rates.rate(10**6) == 0.95


def test_small_steps_cost_little_where_one_large_step_costs_much() -> None:
    """What it takes for one edit, the rates being nearly the same: why nearly every length has a bin."""
    steps, jump = LengthRates.keeping(2, 0.5, 0.95), LengthRates((12,), (0.7, 0.9))
    assert length_radius(0.66, steps, 13, "edit") == radius(0.66, steps.rate(13), "edit") == 1
    assert length_radius(0.95, jump, 13, "edit") == 0
    assert radius(0.95, 0.9, "edit") == 5


@pytest.mark.parametrize(
    "rates", [LengthRates((), (0.8,)), LengthRates((6,), (0.6, 0.9)), LengthRates.keeping(2, 0.5, 0.95)]
)
@pytest.mark.parametrize("p_lower", [0.5, 0.7, 0.9, 0.995, 1.0])
@pytest.mark.parametrize("length", [0, 4, 7, 20])
def test_every_mixture_within_the_frontier_is_covered_and_none_beyond(
    rates: LengthRates, p_lower: float, length: int
) -> None:
    pairs = length_frontier(p_lower, rates, length)
    if not rates.ends:
        assert pairs == frontier(p_lower, 0.8, length=length)
    for b, a in ((b, a) for more, less in pairs for b in range(more + 1) for a in range(less + 1)):
        bound = length_lower_bound(p_lower, rates, length, unmatched_source=a, unmatched_target=b)
        assert bound > 0.5 - 1e-9
    edits = length_radius(p_lower, rates, length, "edit")
    both = max((min(pair) for pair in pairs), default=-1)
    # As many of both as are there: a short text has no more to lose, and may gain all the same.
    assert both == edits if edits <= length else both == length


@pytest.mark.parametrize(
    "wrong", [(0, 0.5, 0.9), (2, 0.0, 0.9), (2, 0.9, 0.5), (2, 0.5, 1.0), (900, 0.5, 0.99)]
)
def test_bad_rules(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(FuzzsmoothError):
        LengthRates.keeping(*wrong)


@pytest.mark.parametrize(
    ("ends", "rates", "message"),
    [
        ((3,), (0.5,), "need 2 rates"),
        ((3, 3), (0.5, 0.6, 0.7), "increase"),
        ((-1,), (0.5, 0.6), "at least 0"),
        ((), (0.0,), "above 0"),
        ((), (1.0,), "must lie in"),
    ],
)
def test_bad_rates(ends: tuple[int, ...], rates: tuple[float, ...], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        LengthRates(ends, rates)


def test_bad_arguments() -> None:
    rates = LengthRates((), (0.5,))
    for wrong in (
        lambda: length_lower_bound(1.5, rates, 3, unmatched_source=0, unmatched_target=0),
        lambda: length_lower_bound(0.9, rates, 3, unmatched_source=4, unmatched_target=0),
        lambda: length_lower_bound(0.9, rates, 3, unmatched_source=0, unmatched_target=-1),
        lambda: length_radius(0.9, rates, -1),
        lambda: length_radius(0.9, rates, 3, "rewrite"),  # type: ignore[arg-type]
        lambda: length_radius(0.9, rates, 3, most=-1),
        lambda: rates.rate(-1),
    ):
        with pytest.raises(FuzzsmoothError):
            wrong()
