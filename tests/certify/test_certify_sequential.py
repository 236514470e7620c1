"""The anytime-valid test: closed form against integration, type-I error at the boundary, stopping rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from fuzzsmooth.certify import (
    SequentialTest,
    Threat,
    clopper_pearson_lower,
    group_sequential_lower,
    log_e_value,
    radius,
    radius_levels,
)
from fuzzsmooth.common.errors import FuzzsmoothError


@pytest.mark.parametrize(
    ("successes", "failures", "null"), [(0, 0, 0.5), (9, 1, 0.5), (30, 2, 0.8), (5, 9, 0.3)]
)
def test_closed_form_is_the_mixture_integral(successes: int, failures: int, null: float) -> None:
    def ratio(p: float) -> float:
        return (p / null) ** successes * ((1 - p) / (1 - null)) ** failures

    expected = quad(ratio, null, 1)[0] / (1 - null)
    assert log_e_value(successes, failures, null) == pytest.approx(math.log(expected), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("null", [0.5, 0.8, 0.95])
def test_it_is_a_martingale_at_the_boundary(null: float) -> None:
    """E[next value] = value under p = q, for every history: the property Ville's inequality needs."""
    for successes in range(12):
        for failures in range(12):
            now, up, down = (
                math.exp(float(log_e_value(successes + s, failures + f, null)))
                for s, f in ((0, 0), (1, 0), (0, 1))
            )
            assert null * up + (1 - null) * down == pytest.approx(now, rel=1e-9)
            assert up >= down, "so below the boundary it only falls"


@pytest.mark.parametrize("null", [0.5, 0.8, 0.95])
def test_type_one_error_at_the_boundary_when_looking_always(null: float) -> None:
    alpha, runs, draws = 0.05, 1500, 800
    hits = (np.random.default_rng(4).random((runs, draws)) < null).cumsum(axis=1)
    total = np.arange(1, draws + 1)
    rejected = (log_e_value(hits, total - hits, null) >= math.log(1 / alpha)).any(axis=1).mean()
    assert rejected <= alpha
    assert rejected > 0.002, "it does reject sometimes: the simulation can fail"


@pytest.mark.parametrize("level", [0, 2])
def test_family_wise_error_of_the_level_ladder(level: int) -> None:
    """p sits exactly on one level; claiming it (or one above) is the error, however the draws arrive."""
    levels, alpha, generator = radius_levels(0.9, most=6), 0.1, np.random.default_rng(8)
    wrong = 0
    for _ in range(400):
        test = SequentialTest(levels, alpha=alpha, cap=600)
        while not test.finished:
            size = min(int(generator.integers(1, 40)), 600 - test.draws)
            hits = int(generator.binomial(size, levels[level]))
            test.update(hits, size - hits)
        wrong += test.level >= level
    assert wrong / 400 <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / 400)


@pytest.mark.parametrize("threat", ["edit", "insert", "delete", "substitute", "transpose"])
@pytest.mark.parametrize("rate", [0.5, 0.7, 0.9, 0.95])
def test_levels_are_where_the_radius_steps(threat: Threat, rate: float) -> None:
    levels = radius_levels(rate, threat, most=40)
    assert 1 <= len(levels) <= 41
    for size, level in enumerate(levels):
        assert radius(level, rate, threat) == size
        assert radius(level - 1e-11, rate, threat) == size - 1
    if threat != "delete" and len(levels) < 41:
        assert radius(1 - 1e-15, rate, threat) == len(levels) - 1


def test_claims_grow_and_stop_early_on_a_certain_class() -> None:
    test = SequentialTest(radius_levels(0.9, most=10), alpha=1e-3, cap=10_000)
    seen = []
    while not test.finished:
        test.update(1, 0)
        seen.append(test.level)
    assert seen == sorted(seen)
    assert test.level == 6
    assert radius(test.p_lower, 0.9) == 6
    assert 200 < test.draws < 600, "a fixed-sample bound that reaches .969 needs 219"
    assert clopper_pearson_lower(test.draws, test.draws, 1e-3) > test.p_lower


def test_futility_and_cap_leave_the_level_unclaimed() -> None:
    hopeless = SequentialTest([0.5, 0.9], alpha=1e-3, cap=10_000)
    while not hopeless.finished:
        hopeless.update(7, 3)
    assert hopeless.level == 0
    assert hopeless.draws < 200
    patient = SequentialTest([0.5, 0.9], alpha=1e-3, cap=500, stop_when_futile=False)
    while not patient.finished:
        patient.update(7, 3)
    assert (patient.draws, patient.level) == (500, 0)
    nothing = SequentialTest([0.5], alpha=1e-3, cap=4)
    nothing.update(4, 0)
    assert (nothing.finished, nothing.level, nothing.p_lower) == (True, -1, 0.0)


def test_group_sequential_bound_holds_and_costs_little() -> None:
    looks, alpha, generator = [100, 400, 1600], 0.05, np.random.default_rng(6)
    hits = (generator.random((800, 1600)) < 0.8).cumsum(axis=1)[:, np.array(looks) - 1]
    bounds = np.array([group_sequential_lower(row.tolist(), looks, alpha=alpha, planned=3) for row in hits])
    assert (bounds > 0.8).mean() <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / 800)
    assert group_sequential_lower([90], [100], alpha=0.03, planned=3) == clopper_pearson_lower(90, 100, 0.01)


def test_bad_arguments() -> None:
    for levels in ([], [0.5, 0.5], [0.9, 0.5], [0.0], [1.0]):
        with pytest.raises(FuzzsmoothError):
            SequentialTest(levels, alpha=0.1, cap=10)
    with pytest.raises(FuzzsmoothError, match="cap"):
        SequentialTest([0.5], alpha=0.1, cap=0)
    test = SequentialTest([0.5], alpha=0.1, cap=10)
    for successes, failures in ((-1, 0), (6, 5)):
        with pytest.raises(FuzzsmoothError):
            test.update(successes, failures)
    for call in (
        lambda: log_e_value(1, 1, 1.0),
        lambda: log_e_value(-1, 1, 0.5),
        lambda: radius_levels(0.0, most=3),
        lambda: radius_levels(0.9, most=-1),
        lambda: radius_levels(0.9, "swap", most=3),  # type: ignore[arg-type]
        lambda: group_sequential_lower([1, 2], [10], alpha=0.1, planned=2),
        lambda: group_sequential_lower([1, 2], [10, 10], alpha=0.1, planned=2),
        lambda: group_sequential_lower([1, 2], [10, 20], alpha=0.1, planned=1),
    ):
        with pytest.raises(FuzzsmoothError):
            call()
