"""Selecting and bounding on votes: exact family-wise error of two classes, error of the bounds on rivals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom, multinomial

from fuzzsmooth.certify import (
    Majority,
    Rivals,
    SequentialTest,
    bound_hybrid_top_class,
    bound_top_class,
    clopper_pearson_lower,
    clopper_pearson_upper,
)
from fuzzsmooth.certify.bounds import complement_upper
from fuzzsmooth.certify.looks import LAST_SHARE, LOOKS, planned_looks
from fuzzsmooth.certify.rivals import RivalsTest
from fuzzsmooth.certify.selection import Strata

Bound = Callable[[int], float]
MIDDLE = (0.5, 0.5)


def bounds(of: Bound, trials: int) -> npt.NDArray[np.float64]:
    return np.array([of(count) for count in range(trials + 1)])


def worst_error(
    own: npt.NDArray[np.float64], rival: npt.NDArray[np.float64], points: npt.NDArray[np.float64]
) -> float:
    """Largest P[a claim about either class is false] over the true probability, summed over all outcomes.

    Whatever is 0 is no claim. The error jumps where a bound equals the truth: both sides of each are tried.
    """
    trials = len(own) - 1
    jumps = np.concatenate([own[own > 0], 1 - rival[rival > 0]])
    truths = np.unique(np.concatenate([points, *(jumps * (1 + side * 1e-9) for side in (-1, 1))]))
    counts, worst = np.arange(trials + 1), 0.0
    for truth in truths[(truths > 0) & (truths < 1)]:
        false = (own > truth) | (rival[::-1] > 1 - truth)
        worst = max(worst, float(binom.pmf(counts, trials, truth)[false].sum()))
    return worst


GRID = np.linspace(0.001, 0.999, 999)
SIZES = [20, 100, pytest.param(1000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("trials", [1, 2, 5, *SIZES])
@pytest.mark.parametrize("alpha", [1e-3, 0.05])
@pytest.mark.parametrize("share", [MIDDLE, (0.3, 0.7), (0.3, 0.75), (0.9, 0.4), (-0.1, 1.2)])
def test_two_classes_at_all_of_alpha_fail_with_probability_alpha_at_most(
    trials: int, alpha: float, share: tuple[float, float]
) -> None:
    one, other = Majority(*share), Majority(*share[::-1])
    own = bounds(lambda count: one.lower(count, trials, alpha), trials)
    rival = bounds(lambda count: other.lower(count, trials, alpha), trials)
    assert (np.diff(own) >= 0).all(), "undecided draws must not raise a bound"
    assert not ((own > 0) & (own < share[0] - 1e-9)).any()
    error = worst_error(own, rival, np.concatenate([GRID, [0.5, abs(share[0]), abs(1 - share[1])]]))
    assert error <= alpha * (1 + 1e-6)
    if trials >= 20:
        assert error > 0.9 * alpha, "nothing is given away"
    never_less = bounds(lambda count: clopper_pearson_lower(count, trials, alpha / 2), trials)
    assert (own >= np.where(never_less > share[0], never_less, 0)).all()


@pytest.mark.parametrize("trials", SIZES)
@pytest.mark.parametrize("alpha", [1e-3, 0.05])
def test_control_a_plain_bound_for_both_classes_fails_too_often(trials: int, alpha: float) -> None:
    """Claims above one half only, and yet up to twice alpha: at equal classes both may be claimed."""
    plain = bounds(lambda count: clopper_pearson_lower(count, trials, alpha), trials)
    plain = np.where(plain > 0.5, plain, 0)
    assert worst_error(plain, plain, GRID) > (1.7 if trials > 20 else 1.01) * alpha


@pytest.mark.parametrize("truth", [0.5, 0.52, 0.58, 0.7])
def test_the_last_look_of_two_sequential_tests_holds_for_both(truth: float) -> None:
    """Exact for the looks of statistics "group-sequential": mass that has made a false claim leaves."""
    cap, alpha = 200, 0.05
    majority, left, missed, before = Majority(), np.array([1.0]), 0.0, 0
    for at, share in planned_looks(cap, alpha).items():
        left = np.convolve(left, binom.pmf(np.arange(at - before + 1), at - before, truth))
        own = bounds(lambda count, at=at, share=share: majority.lower(count, at, share), at)  # type: ignore[misc]
        false = (own > truth) | (own[::-1] > 1 - truth)
        missed += left[false].sum()
        left, before = np.where(false, 0.0, left), at
    assert 0.2 * alpha < missed <= alpha
    assert LAST_SHARE + sum(share for _, share in LOOKS) == pytest.approx(1)


@pytest.mark.parametrize("undecided", [0.0, 0.1])
@pytest.mark.parametrize("truth", [0.5, 0.55, 0.6])
def test_two_sequential_tests_on_the_same_draws_fail_with_probability_alpha_at_most(
    truth: float, undecided: float
) -> None:
    """Simulated, looking every ten draws, with draws that count for neither class."""
    rng, alpha, cap, runs = np.random.default_rng(7), 0.1, 120, 1500
    levels = [0.5 + 1e-9, 0.55 + 1e-9, 0.6 + 1e-9, 0.7]
    wrong = 0
    for hits, lost in zip(rng.random((runs, cap)) < truth, rng.random((runs, cap)) < undecided, strict=True):
        tests = [
            SequentialTest(levels, alpha=alpha, cap=cap, early_share=0.2, majority=Majority()) for _ in "AB"
        ]
        for start in range(0, cap, 10):
            part, gone = hits[start : start + 10], lost[start : start + 10]
            for test, votes in zip(tests, (part & ~gone, ~part & ~gone), strict=True):
                test.update(int(votes.sum()), 10 - int(votes.sum()))
        wrong += tests[0].p_lower > truth or tests[1].p_lower > 1 - truth
    assert wrong <= runs * alpha + 4 * (runs * alpha * (1 - alpha)) ** 0.5
    if truth < 0.6 and not undecided:
        assert wrong > 0.3 * runs * alpha


TRUTHS = ([0.5, 0.3, 0.2], [0.4, 0.2, 0.2, 0.2], [0.35, 0.35, 0.3])


def failures(truth: list[float], rivals: Rivals, *, runs: int) -> float:
    """Share of runs in which a bound is wrong."""
    rng, failed = np.random.default_rng(len(truth)), 0
    for _ in range(runs):
        select, estimate = (rng.multinomial(size, truth).tolist() for size in (20, 100))
        bound = bound_top_class(select, estimate, alpha=0.1, rivals=rivals)
        others = np.delete(truth, bound.label).max()
        failed += bound.p_lower > truth[bound.label] or bound.p_upper < others
    return failed / runs


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("rivals", ["complement", "separate", "auto"])
def test_bounds_on_the_label_and_its_rivals_hold_together(truth: list[float], rivals: Rivals) -> None:
    assert failures(truth, rivals, runs=3000) <= 0.1 + 3 * np.sqrt(0.09 / 3000)


@pytest.mark.slow
def test_bounds_on_rivals_hold_together_longer() -> None:
    for truth in TRUTHS:
        for rivals in ("complement", "separate", "auto"):
            assert failures(truth, rivals, runs=40_000) <= 0.1 + 3 * np.sqrt(0.09 / 40_000)  # type: ignore[arg-type]


def exact_failure(truth: Sequence[float], trials: int, own: float, rival: float) -> float:
    """P[the bound on class 0 of three, or that on one of its rivals, is wrong], over all votes."""
    lower = bounds(lambda count: clopper_pearson_lower(count, trials, own), trials)
    upper = bounds(lambda count: clopper_pearson_upper(count, trials, rival), trials)
    votes = np.array(
        [(one, two, trials - one - two) for one in range(trials + 1) for two in range(trials + 1 - one)]
    )
    found = np.minimum(np.maximum(upper[votes[:, 1]], upper[votes[:, 2]]), 1 - lower[votes[:, 0]])
    wrong = (lower[votes[:, 0]] > truth[0]) | (found < max(truth[1:]))
    return float(multinomial.pmf(votes, trials, truth)[wrong].sum())


def test_separate_rivals_exactly_and_the_control_that_does_not_share_alpha() -> None:
    trials, alpha = 60, 0.1
    grid = [
        (p, (1 - p) * share, (1 - p) * (1 - share)) for p in np.linspace(0.3, 0.9, 61) for share in (0.5, 0.6)
    ]
    shared = [exact_failure(truth, trials, alpha / 2, alpha / 4) for truth in grid]
    plain_plans = [exact_failure(truth, trials, alpha, alpha) for truth in grid]
    assert 0.4 * alpha < max(shared) <= alpha
    assert max(plain_plans) > 1.1 * alpha, "control: each bound at all of alpha"
    bound = bound_top_class([1, 0, 0], [30, 20, 10], alpha=alpha, rivals="separate")
    assert bound.p_lower == clopper_pearson_lower(30, trials, alpha / 2)
    assert bound.p_upper == clopper_pearson_upper(20, trials, alpha / 4)


@pytest.mark.parametrize("truth", TRUTHS)
def test_rivals_at_planned_looks_fail_with_probability_alpha_at_most(truth: list[float]) -> None:
    """Simulated: the best of all looks, with enumerated parts and with draws that vote for nobody."""
    rng, alpha, cap, runs, mass = np.random.default_rng(1), 0.1, 80, 1500, 0.2
    parts = tuple(mass * share for share in truth[::-1])
    whole = [part + (1 - mass) * share for part, share in zip(parts, truth, strict=True)]
    failed = 0
    for _ in range(runs):
        test = RivalsTest(0, Strata(parts, mass), [0.5, 0.6], alpha=alpha, cap=cap)
        while test.draws < cap:
            more = test.next_look - test.draws
            votes = rng.multinomial(more, truth)
            votes[rng.integers(len(truth))] //= 2
            test.update(votes.tolist(), more)
        failed += test.p_lower > whole[0] or test.p_upper < max(whole[1:])
    assert failed <= runs * alpha + 4 * (runs * alpha * (1 - alpha)) ** 0.5


def test_enumerated_masks_and_draws_of_two_classes_fail_with_probability_alpha_at_most() -> None:
    """Exact: p_A = e_A + .6 r, all counts of 60 draws, true probabilities on a fine grid."""
    trials, alpha, mass = 60, 0.05, 0.4
    for parts in ((0.3, 0.1), (0.2, 0.2), (0.25, 0.05), (0.4, 0.0), (0.0, 0.1)):
        found = [
            bound_hybrid_top_class(parts, mass, [count, trials - count], alpha=alpha)
            for count in range(trials + 1)
        ]
        worst = 0.0
        for rest in GRID:
            undecided = mass - sum(parts)
            # What is undecided may be either class's; claims must hold where it is the other's.
            true = [parts[0] + (1 - mass) * rest, parts[1] + (1 - mass) * (1 - rest)]
            wrong = [one.p_lower > true[one.label] + 1e-9 for one in found]
            worst = max(worst, float(binom.pmf(np.arange(trials + 1), trials, rest)[wrong].sum()))
            assert undecided >= -1e-12
        assert worst <= alpha
        assert all(one.p_upper == complement_upper(one.p_lower) for one in found)
