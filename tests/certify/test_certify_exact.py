"""Exact enumeration and strata: direct sums, optimality against fresh units, coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom

from fuzzsmooth.certify import (
    BudgetExceededError,
    MaskOracle,
    Strata,
    Threat,
    clopper_pearson_lower,
    exact_probabilities,
    exact_radius,
    exact_rate,
    low_masks,
    mask_probability,
    plan_strata,
    radius,
    sample_high_masks,
    stratum_mass,
)
from fuzzsmooth.common.errors import FuzzsmoothError


def one_hot(labels: np.ndarray, classes: int = 3) -> np.ndarray:
    return np.eye(classes)[labels]


@pytest.mark.parametrize("length", [0, 1, 4])
def test_transform_equals_direct_sums(length: int) -> None:
    generator = np.random.default_rng(length)
    outcomes = generator.dirichlet((0.5,) * 3, size=1 << length)
    rate = exact_rate(0.7)
    exact = exact_probabilities(outcomes, 0.7)
    for present in range(1 << length):
        direct = np.zeros(3)
        for kept in range(1 << length):
            if kept & ~present == 0:
                survivors, lost = kept.bit_count(), (present & ~kept).bit_count()
                direct += (1 - rate) ** survivors * rate**lost * outcomes[kept]
        assert exact.by_mask[present] == pytest.approx(direct)
    assert exact.length == length


def test_a_rate_for_each_unit() -> None:
    rates, rate = [0.5, 0.9, 0.7], 0.5
    outcomes = np.random.default_rng(0).dirichlet((1.0, 1.0), size=8)
    exact = exact_probabilities(outcomes, rate, unit_rates=rates)
    direct = np.zeros(2)
    for kept in range(8):
        weight = np.prod([1 - r if kept >> unit & 1 else r for unit, r in enumerate(map(exact_rate, rates))])
        direct += weight * outcomes[kept]
    assert exact.probabilities == pytest.approx(direct)
    assert exact.rate == exact_rate(rate)
    with pytest.raises(FuzzsmoothError, match="2 rates for 3 units"):
        exact_probabilities(outcomes, rate, unit_rates=rates[:2])
    with pytest.raises(FuzzsmoothError, match="below the lowest"):
        exact_probabilities(outcomes, 0.6, unit_rates=rates)


@pytest.mark.parametrize("threat", ["edit", "insert", "delete"])
def test_undecided_answers_may_be_any_and_count_against_the_top_class(threat: Threat) -> None:
    """The radius holds however the undecided answers are filled in, and some filling attains the bounds."""
    generator, checked = np.random.default_rng(4), 0
    for _ in range(60):
        labels = (generator.random(32) < 0.15).astype(int)
        unknown = np.flatnonzero(generator.random(32) < 0.15)
        outcomes = one_hot(labels, 2)
        outcomes[unknown] = 0
        claimed = exact_probabilities(outcomes, 0.8)
        size = exact_radius(claimed, threat)
        against, any_way = labels.copy(), labels.copy()
        against[unknown], any_way[unknown] = 1 - claimed.label, generator.integers(2, size=len(unknown))
        worst = exact_probabilities(one_hot(against, 2), 0.8)
        assert claimed.p_lower == pytest.approx(worst.probabilities[claimed.label])
        assert claimed.p_upper == pytest.approx(worst.probabilities[1 - claimed.label])
        for filled in (against, any_way):
            real = exact_probabilities(one_hot(filled, 2), 0.8)
            if size >= 0:
                assert real.label == claimed.label
                assert exact_radius(real, threat) >= size
                checked += 1
        if len(unknown) == 0:
            continue
        optimist = outcomes + one_hot(labels, 2) * (outcomes.sum(axis=1, keepdims=True) == 0)
        assert exact_radius(exact_probabilities(optimist, 0.8), threat) >= size
    assert checked > 60


@pytest.mark.parametrize("threat", ["edit", "insert", "delete", "substitute"])
@pytest.mark.parametrize("rate", [0.4, 0.8])
def test_radius_never_below_theorem_one(threat: Threat, rate: float) -> None:
    generator, larger = np.random.default_rng(1), 0
    for _ in range(150):
        share = generator.random()
        exact = exact_probabilities(one_hot((generator.random(64) < share).astype(int)), rate)
        first, second = np.sort(exact.probabilities)[::-1][:2]
        closed = radius(float(first) - 1e-11, rate, threat, p_upper=float(second), length=6)
        assert exact_radius(exact, threat) >= closed
        larger += exact_radius(exact, threat) > closed
    assert larger > 0 or threat == "insert" or rate == 0.4


def fresh_unit_margin(labels: np.ndarray, length: int, rate: float, dropped: int, fresh: int) -> float:
    """Margin of class 0 at (text minus a mask) plus fresh units; class 1 wherever one is left."""
    margin = 0.0
    for kept in range(1 << length):
        if kept & dropped == 0:
            weight = (1 - rate) ** kept.bit_count() * rate ** (
                length - dropped.bit_count() - kept.bit_count()
            )
            for survived in itertools.product((0, 1), repeat=fresh):
                share = (1 - rate) ** sum(survived) * rate ** (fresh - sum(survived))
                margin += weight * share * (1 if not any(survived) and labels[kept] == 0 else -1)
    return margin


def test_radius_is_optimal_and_sound_against_fresh_units() -> None:
    """All deletions of <= r units followed by r fresh ones keep the label; with r + 1 some flip it."""
    generator, length, rate, seen = np.random.default_rng(2), 4, exact_rate(0.8), set()
    for _ in range(60):
        labels = (generator.random(1 << length) < generator.random() * 0.4).astype(int)
        exact = exact_probabilities(one_hot(labels, 2), rate)
        if exact.label != 0:
            continue
        size = exact_radius(exact)
        seen.add(size)
        for beyond in (0, 1):
            if size + beyond < 0:
                continue
            worst = min(
                fresh_unit_margin(labels, length, rate, dropped, size + beyond)
                for dropped in range(1 << length)
                if dropped.bit_count() <= size + beyond
            )
            assert (worst > 0) == (beyond == 0)
    assert len(seen) >= 3


def test_abstains_on_a_tie_and_caps_deletions() -> None:
    assert exact_radius(exact_probabilities([[0.5, 0.5], [0.5, 0.5]], 0.5)) == -1
    certain = exact_probabilities(one_hot(np.zeros(8, dtype=int)), 0.9)
    assert exact_radius(certain, "delete") == 3
    assert exact_radius(certain, "edit") == 6, "ln 2 / -ln .9, for a classifier that always says the same"


def test_bad_outcomes() -> None:
    for bad in ([[1.0, 0.0]] * 3, [[1.0], [1.0]], [[0.7, 0.7], [0.5, 0.5]], [[-1.0, 2.0], [1.0, 0.0]]):
        with pytest.raises(FuzzsmoothError):
            exact_probabilities(bad, 0.5)


def test_strata_masses_and_masks() -> None:
    assert stratum_mass(20, 0.9, 2) == pytest.approx(0.677, abs=5e-4)
    assert stratum_mass(20, 0.9, 3) == pytest.approx(0.867, abs=5e-4)
    masks = list(low_masks(20, 2))
    assert len(masks) == len(set(masks)) == 211
    assert sum(mask_probability(mask, 20, 0.9) for mask in masks) == pytest.approx(stratum_mass(20, 0.9, 2))


def test_plan() -> None:
    assert plan_strata(20, 0.9, 1000) == 2
    assert plan_strata(40, 0.9, 1121) in (None, 1)
    assert plan_strata(100, 0.7, 1000) is None
    assert plan_strata(5, 0.9, 1000) == 5


def test_high_masks_have_the_conditional_law() -> None:
    length, rate, low, draws = 6, exact_rate(0.6), 2, 20_000
    sample = sample_high_masks(length, rate, low, draws, np.random.default_rng(0))
    assert len(sample) == draws
    counts = np.bincount([mask.bit_count() for mask in sample], minlength=length + 1) / draws
    law = binom.pmf(np.arange(length + 1), length, 0.4)
    law[: low + 1] = 0
    assert counts == pytest.approx(law / law.sum(), abs=0.015)
    share = np.mean([[mask >> unit & 1 for unit in range(length)] for mask in sample], axis=0)
    assert np.ptp(share) < 0.03, "every unit is as likely"
    with pytest.raises(FuzzsmoothError):
        sample_high_masks(3, 0.5, 3, 10, np.random.default_rng(0))
    with pytest.raises(FuzzsmoothError):
        sample_high_masks(3, exact_rate(0.999), 2, 10, np.random.default_rng(0))
    with pytest.raises(FuzzsmoothError, match="exact_rate"):
        sample_high_masks(6, 0.6, 2, 10, np.random.default_rng(0))


def test_strata_are_tighter_and_cover() -> None:
    mass = stratum_mass(20, 0.9, 2)
    enumerated = Strata((0.905 * mass, 0.095 * mass), mass)
    assert 0.905 - enumerated.lower(0, clopper_pearson_lower(714, 789, 1e-3)) < 0.013
    assert 0.905 - clopper_pearson_lower(905, 1000, 1e-3) > 0.03
    strata, rest, trials, alpha = Strata((0.3, 0.1), 0.4), 0.8, 60, 0.05
    outcomes = np.arange(trials + 1)
    bounds = np.array([strata.lower(0, clopper_pearson_lower(int(k), trials, alpha)) for k in outcomes])
    truth = 0.3 + 0.6 * rest
    assert 0 < binom.pmf(outcomes, trials, rest)[bounds > truth].sum() <= alpha
    assert strata.lower(0, 0.0) == pytest.approx(0.3)


def test_oracle_caches_deduplicates_and_keeps_to_its_budget() -> None:
    asked: list[int] = []

    def ask(masks: list[int]) -> list[int]:
        asked.extend(masks)
        return [mask.bit_count() % 2 for mask in masks]

    oracle = MaskOracle(ask, 4, units=("a", "b", "a", "b"), batch_size=2, budget=4)
    assert oracle.run(oracle.labels([0b0001, 0b0100, 0b0010, 0b1000, 0b1111])) == [1, 1, 1, 1, 0]
    assert oracle.passes == len(asked) == 3, "'a' and 'b' are asked once each"
    assert oracle.run(oracle.all_equal([0b0001, 0b1000], 1))
    assert not oracle.run(oracle.all_equal([0b1111, 0b0110, 0b0111], 1)), "known answers decide first"
    assert oracle.passes == 3
    with pytest.raises(BudgetExceededError):
        oracle.run(oracle.labels([0b0110, 0b0111]))
    assert oracle.passes == 3, "nothing is asked when it would exceed the budget"
    for arguments in ({"length": -1}, {"length": 2, "units": "abc"}, {"length": 2, "budget": -1}):
        with pytest.raises(FuzzsmoothError):
            MaskOracle(ask, **arguments)  # type: ignore[arg-type]
