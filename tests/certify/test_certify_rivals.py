"""Rivals at planned looks: the bounds are those of the looks; what stopping early costs and saves."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzsmooth.certify import RivalsTest, Strata, rival_bounds
from fuzzsmooth.certify.confidence.group_sequential import planned_looks
from fuzzsmooth.common.errors import FuzzsmoothError

NOTHING = Strata((0.0, 0.0, 0.0, 0.0))
LEVELS = [0.5, 0.6, 0.69, 0.771, 0.844, 0.9095, 0.9686]


def test_the_bounds_are_the_best_of_the_looks() -> None:
    test, lower, upper, votes = RivalsTest(1, NOTHING, LEVELS, alpha=0.01, cap=200), 0.0, 1.0, [0] * 4
    for at, share in planned_looks(200, 0.01).items():
        more = at - test.draws
        part = [more // 5, more // 2, more // 10, 0]
        test.update(part, more)
        votes = [old + new for old, new in zip(votes, part, strict=True)]
        one, other = rival_bounds(NOTHING, 1, votes, at, share, "separate")
        lower, upper = max(lower, one), min(upper, other)
        assert (test.p_lower, test.p_upper) == (lower, upper)
    assert test.finished
    assert (test.successes, test.draws) == (votes[1], 200)


def test_between_looks_nothing_is_claimed_and_no_look_is_passed() -> None:
    test = RivalsTest(0, NOTHING, LEVELS, alpha=0.01, cap=80)
    test.update([9, 0, 0, 0], 9)
    assert (test.p_lower, test.p_upper, test.finished) == (0.0, 1.0, False)
    for votes, draws in (([2, 0, 0, 0], 2), ([2, 0, 0, 0], 1), ([1, 0, 0], 1), ([-1, 0, 0, 0], 1)):
        with pytest.raises(FuzzsmoothError):
            test.update(votes, draws)
    for levels, cap in (([0.6, 0.5], 5), ([0.5], 0)):
        with pytest.raises(FuzzsmoothError):
            RivalsTest(0, NOTHING, levels, alpha=0.1, cap=cap)


def test_what_was_enumerated_is_there_without_a_draw() -> None:
    test = RivalsTest(0, Strata((0.4, 0.1, 0.0), 0.5), LEVELS, alpha=0.01, cap=10)
    assert test.p_lower == pytest.approx(0.4, abs=1e-9)
    assert test.p_upper == pytest.approx(0.6, abs=1e-9)


def test_stopping_early_costs_hardly_any_level() -> None:
    """Against one bound at the cap on the same draws, at all of alpha."""
    rng, alpha, cap, lost, drawn = np.random.default_rng(0), 1e-3, 900, [], []
    for top in rng.uniform(0.3, 1.0, 250):
        truth = [top, *(rng.dirichlet((1, 1, 1)) * (1 - top))]
        test = RivalsTest(0, NOTHING, LEVELS, alpha=alpha, cap=cap)
        draws = rng.choice(4, size=cap, p=truth)
        while not test.finished:
            part = draws[test.draws : test.next_look]
            test.update(np.bincount(part, minlength=4).tolist(), len(part))
        whole = rival_bounds(NOTHING, 0, np.bincount(draws, minlength=4).tolist(), cap, alpha, "separate")
        claimed = [
            np.sum(np.array(LEVELS) < (1 + low - up) / 2) for low, up in (whole, (test.p_lower, test.p_upper))
        ]
        lost.append(claimed[0] - claimed[1])
        drawn.append(test.draws)
    assert np.mean(lost) < 0.1
    assert np.mean(drawn) < 0.8 * cap
