"""Theorem 4w against the exact worst base classifier; rates that depend on the text break it (control)."""

from __future__ import annotations

import numpy as np
import pytest
from guarantee_universe import Tally, alignment, deletion_law, universe, worst_margin
from guarantee_universe import worst_probability as worst

from deletion_bounds import conditional_lower_bound, conditional_margin_bound, lower_bound
from fuzzsmooth.certify import RateTable

LEVELS = np.array([0.55, 0.7, 0.85, 0.97, 1.0])
SPACES = [(3, 3), pytest.param((3, 4), marks=pytest.mark.slow)]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rates", [(0.3, 0.6, 0.9), (0.5, 0.8, 0.97)])
def test_weighted_edits(space: tuple[int, int], rates: tuple[float, ...]) -> None:
    everything = universe(*space)
    table = RateTable(rates[0], {1: rates[1], 2: rates[2]})
    law = deletion_law(everything, lambda text: tuple(table.rate(unit) for unit in text))
    single, margin = Tally(), Tally()
    for i, j in everything.pairs():
        removed, added = alignment(everything.texts[i], everything.texts[j])
        alpha, beta = table.mass(removed), table.mass(added)
        single.add(worst(law[i], law[j], LEVELS), [conditional_lower_bound(p, alpha, beta) for p in LEVELS])
        true = worst_margin(law[i], law[j], 2 * LEVELS - 1)
        margin.add(true, [conditional_margin_bound(2 - 2 * p, alpha, beta) for p in LEVELS])
        sure = np.array([table.certified(p, removed=removed, added=added) for p in LEVELS])
        assert (true[sure] > 0).all()
    for tally in (single, margin):
        assert tally.violations == 0
        assert abs(tally.slack) < 1e-9


@pytest.mark.parametrize("low_high", [(0.4, 0.8), (0.6, 0.95)])
def test_control_rates_chosen_by_looking_at_the_text(low_high: tuple[float, float]) -> None:
    """One unit per text, picked by an arbitrary map of the whole text, is hot: the high-rate claim fails."""
    low, high = low_high
    everything, generator, tally = universe(2, 4), np.random.default_rng(0), Tally()
    hot = {text: int(generator.integers(len(text))) for text in everything.texts if text}
    law = deletion_law(
        everything,
        lambda text: tuple(high if place == hot[text] else low for place in range(len(text))),
    )
    for i, j in everything.pairs():
        size = int(everything.distance[i, j])
        claimed = [lower_bound(p, high, unmatched_source=size, unmatched_target=size) for p in LEVELS]
        tally.add(worst(law[i], law[j], LEVELS), claimed)
    assert tally.violations > tally.checked / 4
