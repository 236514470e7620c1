"""Planned looks: exact error probabilities by summing over all paths, and what stopping early costs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from fuzzsmooth.certify import LAST_SHARE, LookedTest, clopper_pearson_lower
from fuzzsmooth.certify.confidence.group_sequential import LOOKS
from fuzzsmooth.common.errors import FuzzsmoothError


def error(p: float, looks: dict[int, float]) -> float:
    """P[some bound taken at a look exceeds p], exactly: mass that has exceeded it leaves."""
    left, missed, before = np.array([1.0]), 0.0, 0
    for at, alpha in looks.items():
        left = np.convolve(left, binom.pmf(np.arange(at - before + 1), at - before, p))
        over = np.array([clopper_pearson_lower(count, at, alpha) > p for count in range(at + 1)])
        missed += left[over].sum()
        left, before = np.where(over, 0.0, left), at
    return missed


def planned(cap: int, alpha: float) -> dict[int, float]:
    return {round(at * cap): share * alpha for at, share in LOOKS} | {cap: LAST_SHARE * alpha}


@pytest.mark.parametrize("p", [0.3, 0.5, 0.77, 0.95])
def test_all_looks_together_fail_with_probability_alpha_at_most(p: float) -> None:
    alpha, cap = 0.05, 160
    assert 0.2 * alpha < error(p, planned(cap, alpha)) <= alpha
    peeking = dict.fromkeys(planned(cap, alpha), alpha)
    if p < 0.9:  # nearer to one the counts are too coarse to use alpha up
        assert error(p, peeking) > 1.2 * alpha, "control: the whole of alpha at every look is too much"


def test_the_bounds_are_those_of_the_looks() -> None:
    test = LookedTest([0.6, 0.9], alpha=0.01, cap=80)
    shares = planned(80, 0.01)
    seen, best = 0, 0.0
    for at in shares:
        assert test.next_look == at
        test.update(at - seen - 1, 1)
        seen = at
        best = max(best, clopper_pearson_lower(test.successes, at, shares[at]))
        assert test.p_lower == best
    assert test.draws == test.next_look == 80
    assert test.finished


def test_between_looks_nothing_is_claimed_or_stopped() -> None:
    test = LookedTest([0.6], alpha=0.01, cap=80)
    test.update(9, 0)
    assert test.p_lower == 0
    assert not test.finished
    with pytest.raises(FuzzsmoothError, match="look planned at 10"):
        test.update(2, 0)


@pytest.mark.parametrize(("share", "stops"), [(1.0, True), (0.0, True), (0.5, True), (0.66, False)])
def test_it_stops_where_no_level_can_be_reached_any_more(share: float, stops: bool) -> None:
    """Levels .6 and .7; at .66 of 1,000 draws the bound at the cap may or may not exceed .6."""
    test = LookedTest([0.6, 0.7], alpha=0.001, cap=1000)
    while not test.finished and test.draws < 500:
        more = test.next_look - test.draws
        hits = round(more * share)
        test.update(hits, more - hits)
    assert test.finished == stops


def test_stopping_early_costs_hardly_any_level() -> None:
    """Against one bound at the cap on the same draws; the last look has less than all of alpha, too."""
    rng = np.random.default_rng(0)
    levels, alpha, cap = [0.5, 0.6, 0.69, 0.771, 0.844, 0.9095, 0.9686], 1e-3, 1000
    lost, drawn, texts = [], [], 400
    for p in rng.uniform(0.45, 1.0, texts):
        test, hits = LookedTest(levels, alpha=alpha, cap=cap), rng.random(cap) < p
        while not test.finished:
            part = hits[test.draws : test.next_look]
            test.update(int(part.sum()), int((~part).sum()))
        whole = clopper_pearson_lower(int(hits.sum()), cap, alpha)
        lost.append(np.sum(np.array(levels) < whole) - np.sum(np.array(levels) < test.p_lower))
        drawn.append(test.draws)
    assert np.mean(lost) < 0.1
    assert np.mean(drawn) < 0.8 * cap


def test_a_cap_of_a_few_draws_and_bad_arguments() -> None:
    test = LookedTest([0.1], alpha=0.5, cap=1)
    test.update(1, 0)
    assert test.finished
    assert test.p_lower == clopper_pearson_lower(1, 1, LAST_SHARE * 0.5)
    for levels, cap in (([0.5, 0.4], 5), ([1.0], 5), ([0.5], 0)):
        with pytest.raises(FuzzsmoothError):
            LookedTest(levels, alpha=0.1, cap=cap)
