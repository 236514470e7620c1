"""Masks at addresses: the exact law, and draw k is the same whoever asks for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import draw_words
from fuzzsmooth.noise.text import COIN_VALUES, SelectionKernel, addressed_masks, represented, text_kernel

RATES = np.array([0.2, 0.5, 0.9])
ADDRESS = {"seed": 5, "purpose": "certify", "key": 2**64 - 1}


@pytest.mark.parametrize("width", [0, 1, 7, 8, 9, 40])
def test_a_draw_does_not_depend_on_the_range_it_is_asked_in(width: int) -> None:
    whole = draw_words(1, "x", 2, draws=range(200), width=width)
    assert whole.shape == (200, width)
    assert whole.dtype == np.uint32
    for part in (range(3), range(17, 18), range(50, 200), range(5, 5)):
        np.testing.assert_array_equal(
            draw_words(1, "x", 2, draws=part, width=width), whole[part.start : part.stop]
        )


def test_addresses_and_draws_do_not_share_words() -> None:
    addresses = [(1, "x", 2), (1, "x", 3), (1, "y", 2), (2, "x", 2)]
    words = [draw_words(*address, draws=range(300), width=9) for address in addresses]
    everything = np.concatenate([part.ravel() for part in words])
    # About n**2 / 2**33 pairs of 10,800 fair words agree by chance; a shared stream would repeat thousands.
    assert len(everything) - len(np.unique(everything)) <= 2


def test_the_words_are_uniform_bit_by_bit() -> None:
    words = draw_words(0, "x", draws=range(20_000), width=3)
    bits = (words[:, :, None] >> np.arange(32, dtype=np.uint32)) & 1
    shares = bits.mean(axis=0)
    assert np.abs(shares - 0.5).max() < 5 * 0.5 / 20_000**0.5
    low, high = words[:, 0] % 16, words[:, 1] >> 28
    table = np.bincount((low * 16 + high).astype(np.int64), minlength=256)
    assert chisquare(table).pvalue > 1e-4


def law(rates: np.ndarray) -> np.ndarray:
    masks = (np.arange(8)[:, None] >> np.arange(3)) & 1
    exact = np.array([represented(rate) for rate in rates])
    return np.where(masks == 1, 1 - exact, exact).prod(axis=1)


def test_every_mask_has_the_probability_of_independent_coins() -> None:
    kept = addressed_masks(RATES, range(20_000), **ADDRESS)
    counts = np.bincount((kept << np.arange(3)).sum(axis=1), minlength=8)
    assert chisquare(counts, 20_000 * law(RATES)).pvalue > 1e-3
    assert chisquare(counts, 20_000 * law(RATES * 0.95)).pvalue < 1e-6, "control: other rates are told apart"


def test_the_coins_are_integer_comparisons_at_the_represented_rate() -> None:
    rate = 1 / 3
    words = draw_words(5, "certify", ADDRESS["key"], draws=range(5000), width=2)
    expected = words.astype(object) >= round(rate * COIN_VALUES)
    np.testing.assert_array_equal(addressed_masks(np.full(2, rate), range(5000), **ADDRESS), expected)
    assert not addressed_masks(np.ones(3), range(50), **ADDRESS).any()
    assert addressed_masks(np.zeros(3), range(50), **ADDRESS).all()


def test_misuse_is_one_sentence() -> None:
    with pytest.raises(FuzzsmoothError, match="consecutive"):
        draw_words(0, "x", draws=range(0, 10, 2), width=1)
    with pytest.raises(FuzzsmoothError, match="consecutive"):
        draw_words(0, "x", draws=range(-1, 3), width=1)
    with pytest.raises(FuzzsmoothError, match="not a probability"):
        addressed_masks(np.array([1.5]), range(2), **ADDRESS)


@pytest.mark.parametrize("kernel", [text_kernel("deletion"), text_kernel("masking", mask="[MASK]")])
def test_selections_are_the_kernels_outcomes(kernel: SelectionKernel) -> None:
    """Selecting by the coins of a generator gives what the kernel itself gives with it."""
    assert isinstance(kernel, SelectionKernel)
    units = ("a", "b", "c")
    candidates = kernel.candidates(units)
    for seed in range(40):
        coins = np.random.default_rng(seed).integers(0, COIN_VALUES, size=(1, 3), dtype=np.uint32)
        kept = coins >= np.rint(RATES * COIN_VALUES).astype(np.uint64)
        selected = kernel.selected(kept)[0]
        chosen = tuple(unit for unit, pick in zip(candidates, selected, strict=True) if pick)
        assert chosen == kernel(units, RATES, np.random.default_rng(seed))
    assert not isinstance(text_kernel("substitution", vocabulary=("a",)), SelectionKernel)
