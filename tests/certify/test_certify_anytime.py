"""The anytime-valid test: closed form against integration, type-I error at the boundary, stopping rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import betabinom

from fuzzsmooth.certify import (
    EARLY_SHARE,
    SequentialTest,
    Threat,
    clopper_pearson_lower,
    radius,
    radius_levels,
)
from fuzzsmooth.certify.confidence.anytime import chance_of_reaching, log_e_value
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


@pytest.mark.parametrize(("successes", "failures", "left"), [(0, 0, 7), (9, 1, 30), (3, 8, 20), (5, 0, 0)])
def test_the_chance_of_reaching_is_the_beta_binomial_tail(successes: int, failures: int, left: int) -> None:
    law = betabinom(left, successes + 1, failures + 1)
    for needed in range(successes + left + 3):
        expected = 1.0 if needed <= successes else float(law.sf(needed - successes - 1))
        found = chance_of_reaching(needed, successes, failures, left)
        assert found == pytest.approx(expected, abs=1e-9)
    with pytest.raises(FuzzsmoothError, match="at least 0"):
        chance_of_reaching(1, -1, 0, 3)


@pytest.mark.parametrize("share", [1.0, EARLY_SHARE])
def test_giving_up_saves_most_draws_and_hardly_ever_a_level(share: float) -> None:
    """Against a twin on the same draws that never gives up; p over the whole range, also on the levels."""
    levels, cap, generator = radius_levels(0.9, most=10), 1000, np.random.default_rng(5)
    lost, spent, runs = 0, [], 400
    for _ in range(runs):
        true = float(generator.uniform(0.5, 1.0))
        hits = generator.random(cap) < true
        stopping = SequentialTest(levels, alpha=1e-3, cap=cap, early_share=share)
        patient = SequentialTest(levels, alpha=1e-3, cap=cap, early_share=share, stop_when_futile=False)
        for start in range(0, cap, 25):
            part = int(hits[start : start + 25].sum())
            for test in (stopping, patient):
                if not test.finished:
                    test.update(part, 25 - part)
        assert stopping.level <= patient.level
        lost += stopping.level < patient.level
        spent.append((stopping.draws, patient.draws))
    assert lost / runs <= 0.02
    ours, theirs = np.mean(spent, axis=0)
    assert ours < 0.8 * theirs


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
    ):
        with pytest.raises(FuzzsmoothError):
            call()


LADDERS: tuple[Threat, ...] = ("edit", "insert", "delete")


def merged_levels(rate: float, most: int) -> list[float]:
    """The levels of all threats as one sequence."""
    return sorted({level for threat in LADDERS for level in radius_levels(rate, threat, most=most)})


@pytest.mark.parametrize("early_share", [1.0, EARLY_SHARE])
@pytest.mark.parametrize(("threat", "size"), [("edit", 1), ("insert", 2), ("delete", 3)])
def test_family_wise_error_of_all_threats_together(threat: Threat, size: int, early_share: float) -> None:
    """p sits on a level of one threat: claiming it, or anything above it of any threat, is the error."""
    rate, alpha, runs, cap = 0.8, 0.1, 500, 400
    true, generator = radius_levels(rate, threat, most=size)[size], np.random.default_rng(size)
    levels = merged_levels(rate, most=8)
    wrong = 0
    for _ in range(runs):
        test = SequentialTest(
            levels, alpha=alpha, cap=cap, awaited=radius_levels(rate, "edit", most=8), early_share=early_share
        )
        while not test.finished:
            step = min(int(generator.integers(1, 60)), cap - test.draws)
            hits = int(generator.binomial(step, true))
            test.update(hits, step - hits)
        claims = [radius(test.p_lower, rate, one) > radius(true - 1e-9, rate, one) for one in LADDERS]
        wrong += any(claims)
        assert any(claims) == (test.p_lower >= true)
    assert wrong / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_control_a_fixed_bound_looked_at_in_rounds_claims_too_much() -> None:
    rate, alpha, runs, cap = 0.8, 0.05, 500, 400
    true, generator, wrong = radius_levels(rate, "edit", most=1)[1], np.random.default_rng(3), 0
    for _ in range(runs):
        hits = (generator.random(cap) < true).cumsum()
        looks = range(20, cap + 1, 10)
        wrong += any(clopper_pearson_lower(int(hits[look - 1]), look, alpha) > true for look in looks)
    assert wrong / runs > 2 * alpha


def test_each_threat_gets_the_radius_of_its_own_ladder() -> None:
    rate = 0.9
    levels = merged_levels(rate, most=20)
    assert list(levels) == sorted(set(levels))
    test = SequentialTest(levels, alpha=0.01, cap=3000)
    while not test.finished:
        test.update(9, 1)
    for threat in LADDERS:
        own = [level for level in radius_levels(rate, threat, most=20) if level <= test.p_lower]
        assert radius(test.p_lower, rate, threat) == len(own) - 1


def test_only_awaited_levels_are_drawn_for_and_others_come_along() -> None:
    """Backward levels crowd near 1, so waiting for them too takes all draws there are."""
    levels = merged_levels(0.9, most=50)
    edit = radius_levels(0.9, "edit", most=50)
    needed = {}
    for name, awaited in (("edit", edit), ("all", levels)):
        test = SequentialTest(levels, alpha=1e-3, cap=2000, awaited=awaited)
        while not test.finished:
            test.update(10, 0)
        needed[name] = test.draws
        assert radius(test.p_lower, 0.9, "delete", length=50) > 10
    assert needed["edit"] < 600 < 1800 < needed["all"] <= 2000
    with pytest.raises(FuzzsmoothError, match="among the levels"):
        SequentialTest([0.5], alpha=0.1, cap=10, awaited=[0.6])


def test_the_last_look_makes_up_for_what_early_stopping_costs() -> None:
    """At the cap the claim is that of a fixed sample at (1 - share) alpha, whatever the e-process says."""
    alpha, cap, generator = 1e-3, 1000, np.random.default_rng(0)
    levels = merged_levels(0.9, most=10)
    lower = []
    for true in (0.55, 0.7, 0.85, 0.93):
        for _ in range(20):
            tests = [
                SequentialTest(levels, alpha=alpha, cap=cap, stop_when_futile=False, early_share=share)
                for share in (1.0, EARLY_SHARE)
            ]
            hits = int(generator.binomial(cap, true))
            for test in tests:
                test.update(hits, cap - hits)
            fixed = clopper_pearson_lower(hits, cap, alpha)
            assert tests[1].p_lower >= clopper_pearson_lower(hits, cap, alpha * (1 - EARLY_SHARE))
            assert radius(tests[1].p_lower, 0.9) >= radius(fixed - 0.003, 0.9)
            lower.append((tests[0].p_lower, tests[1].p_lower, fixed))
    plain, looked, fixed_bounds = np.mean(lower, axis=0)
    assert plain < looked < fixed_bounds
    assert fixed_bounds - looked < 0.003
