from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.text import (
    COIN_VALUES,
    area_rates,
    coin_threshold,
    draw_masks,
    kept_mask,
    represented,
    uniform_rates,
)


@given(st.floats(0.0, 1.0))
def test_a_rate_is_the_nearest_multiple_of_a_coin(rate: float) -> None:
    threshold = coin_threshold(rate)
    assert 0 <= threshold <= COIN_VALUES
    assert abs(Fraction(rate) - Fraction(threshold, COIN_VALUES)) <= Fraction(1, 2 * COIN_VALUES)
    used = represented(rate)
    assert Fraction(used) == Fraction(threshold, COIN_VALUES)  # a float holds it exactly
    assert represented(used) == used
    assert coin_threshold(used) == threshold


def test_the_ends_are_exact() -> None:
    assert (coin_threshold(0.0), coin_threshold(0.5), coin_threshold(1.0)) == (0, 2**31, 2**32)
    assert represented(0.9) != 0.9


@pytest.mark.parametrize("rate", [-0.1, 1.0000001, float("nan"), float("inf")])
def test_what_is_not_a_probability_is_refused(rate: float) -> None:
    with pytest.raises(FuzzsmoothError, match="not a probability"):
        coin_threshold(rate)
    with pytest.raises(FuzzsmoothError, match="unit 1 is not a probability"):
        kept_mask(np.array([0.5, rate]), np.random.default_rng(0))


def test_a_unit_is_deleted_exactly_when_its_coin_is_below_the_threshold() -> None:
    coins = np.random.default_rng(7).integers(0, COIN_VALUES, size=2000, dtype=np.uint32).astype(np.float64)
    at = kept_mask(coins / COIN_VALUES, np.random.default_rng(7))  # threshold equal to the coin: kept
    above = kept_mask((coins + 1) / COIN_VALUES, np.random.default_rng(7))  # one more: deleted
    assert at.all()
    assert not above.any()


@given(st.lists(st.floats(0.0, 1.0), max_size=20), st.integers(0, 2**32))
def test_masks_compare_coins_with_exact_rates(rates: list[float], seed: int) -> None:
    coins = np.random.default_rng(seed).integers(0, COIN_VALUES, size=len(rates), dtype=np.uint32).tolist()
    kept = kept_mask(np.array(rates, dtype=np.float64), np.random.default_rng(seed)).tolist()
    assert kept == [coin >= coin_threshold(rate) for coin, rate in zip(coins, rates, strict=True)]


def test_rates_of_zero_and_one_are_certain() -> None:
    masks = draw_masks(np.array([0.0, 1.0]), 100_000, np.random.default_rng(1))
    assert masks[:, 0].all()
    assert not masks[:, 1].any()


@given(st.integers(0, 9), st.integers(0, 6), st.integers(0, 6))
def test_masks_do_not_depend_on_how_many_are_drawn_at_once(n: int, first: int, second: int) -> None:
    rates = np.linspace(0.0, 1.0, n)
    whole = draw_masks(rates, first + second, np.random.default_rng(3))
    generator = np.random.default_rng(3)
    parts = [*draw_masks(rates, first, generator), *(kept_mask(rates, generator) for _ in range(second))]
    assert whole.shape == (first + second, n)
    assert np.array_equal(whole, np.reshape(parts, (first + second, n)))


def test_rates_of_a_vulnerable_area() -> None:
    rates = area_rates(5, [1, 3, 3], 0.9, 0.1)
    assert rates.tolist() == [represented(x) for x in (0.1, 0.9, 0.1, 0.9, 0.1)]
    assert area_rates(2, [], 0.9, 0.1).tolist() == uniform_rates(2, 0.1).tolist()
    assert area_rates(0, [], 0.9, 0.1).shape == uniform_rates(0, 0.9).shape == (0,)
    assert area_rates(3, iter(range(3)), 0.9, 0.9).tolist() == uniform_rates(3, 0.9).tolist()


def test_bad_areas_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="outside the text of 3 units"):
        area_rates(3, [3], 0.9, 0.1)
    with pytest.raises(FuzzsmoothError, match="outside the text"):
        area_rates(3, [-1], 0.9, 0.1)
    with pytest.raises(FuzzsmoothError, match="exceeds the rate inside"):
        area_rates(3, [0], 0.1, 0.9)
    with pytest.raises(FuzzsmoothError, match="shape"):
        kept_mask(np.zeros((2, 2)), np.random.default_rng(0))
    with pytest.raises(FuzzsmoothError, match="cannot draw -1"):
        draw_masks(np.zeros(2), -1, np.random.default_rng(0))
