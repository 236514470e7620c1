"""T7: confidence bounds fail as rarely as they say; what looks similar but is wrong fails more often."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from fuzzsmooth.certify import bound_top_class, clopper_pearson_lower


@pytest.mark.parametrize("trials", [20, 100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("alpha", [1e-3, 0.05])
def test_exact_miscoverage(trials: int, alpha: float) -> None:
    """P[bound > p], summed over all outcomes, for 200 values of p; at some p it nearly uses alpha up."""
    successes = np.arange(trials + 1)
    bounds = np.array([clopper_pearson_lower(int(k), trials, alpha) for k in successes])
    grid = np.concatenate([np.linspace(0.01, 0.999, 200), bounds[1:] * (1 + 1e-9)])
    missed = np.array([binom.pmf(successes, trials, p)[bounds > p].sum() for p in grid])
    assert missed.max() <= alpha * (1 + 1e-6)
    assert missed.max() >= 0.9 * alpha


def miscoverage_of_selected(trials: int, alpha: float, *, corrected: bool) -> float:
    """Exact P[claimed bound of the selected class > its probability] for two equal classes."""
    votes = np.arange(trials + 1)
    weight = binom.pmf(votes, trials, 0.5)
    failed = np.zeros(trials + 1)
    for count in votes:
        top = max(int(count), trials - int(count))
        if corrected:
            bound = bound_top_class([int(count), trials - int(count)], alpha=alpha).p_lower
        else:
            bound = clopper_pearson_lower(top, trials, alpha)
        failed[count] = bound > 0.5
    return float(weight @ failed)


def test_same_draws_for_label_and_bound_need_the_correction() -> None:
    assert miscoverage_of_selected(200, 0.05, corrected=True) <= 0.05
    assert miscoverage_of_selected(200, 0.05, corrected=False) > 0.06, "control: no correction fails"


def test_split_sample_is_sound_for_four_equal_classes() -> None:
    generator = np.random.default_rng(0)
    failed = 0
    for _ in range(4000):
        select, estimate = (generator.multinomial(size, [0.25] * 4).tolist() for size in (20, 80))
        bound = bound_top_class(select, estimate, alpha=0.05)
        failed += bound.p_lower > 0.25
    assert failed / 4000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.parametrize("rivals", ["complement", "separate"])
def test_both_bounds_hold_together(rivals: str) -> None:
    generator, truth = np.random.default_rng(1), np.array([0.5, 0.3, 0.2])
    failed = 0
    for _ in range(3000):
        select, estimate = (generator.multinomial(size, truth).tolist() for size in (20, 100))
        bound = bound_top_class(select, estimate, alpha=0.1, rivals=rivals)  # type: ignore[arg-type]
        others = np.delete(truth, bound.label).max()
        failed += bound.p_lower > truth[bound.label] or bound.p_upper < others
    assert failed / 3000 <= 0.1 + 3 * np.sqrt(0.09 / 3000)


def test_control_peeking_at_a_fixed_sample_bound() -> None:
    """Looking 48 times with the full alpha fails far too often: the type-I error is about six times alpha."""
    generator, alpha = np.random.default_rng(2), 0.05
    looks = np.unique(np.concatenate([np.arange(10, 200, 10), np.arange(200, 3001, 100)]))
    hits = (generator.random((1500, looks[-1])) < 0.5).cumsum(axis=1)[:, looks - 1]
    threshold = [
        next(k for k in range(n // 2, n + 1) if clopper_pearson_lower(k, int(n), alpha) > 0.5) for n in looks
    ]
    assert len(looks) == 48
    assert (hits >= np.array(threshold)).any(axis=1).mean() > 4 * alpha
