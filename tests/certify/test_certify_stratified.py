"""Hybrid strata: the bound of the selected class covers, and its levels are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from fuzzsmooth.certify import bound_hybrid_top_class, conditional_level, hybrid_probability
from fuzzsmooth.certify.bounds import clopper_pearson_lower

PARTS, MASS, TRIALS = (0.25, 0.2), 0.5, 60  # 0.05 of the enumerated mass is undecided


def miscoverage(rest: float, alpha: float, *, corrected: bool) -> float:
    """Exact P[bound of the selected class > its probability]; the draws are of class 0 with P = rest."""
    votes = np.arange(TRIALS + 1)
    truth = [PARTS[0] + (1 - MASS) * rest, PARTS[1] + (1 - MASS) * (1 - rest)]
    failed = []
    for count in votes.tolist():
        found = bound_hybrid_top_class(
            PARTS, MASS, [count, TRIALS - count], alpha=alpha if corrected else 2 * alpha
        )
        failed.append(found.p_lower > truth[found.label])
    return float(binom.pmf(votes, TRIALS, rest) @ np.array(failed))


@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_the_bound_of_the_selected_class_covers(alpha: float) -> None:
    grid = np.linspace(0.02, 0.98, 97)
    assert max(miscoverage(rest, alpha, corrected=True) for rest in grid) <= alpha
    assert max(miscoverage(rest, alpha, corrected=False) for rest in grid) > alpha, "control: one class only"


def test_separate_draws_bound_at_the_whole_alpha_and_undecided_ones_are_failures() -> None:
    found = bound_hybrid_top_class((0.1, 0.2, 0.0), 0.4, [3, 1, 1], [50, 5, 5], alpha=0.01, undecided=10)
    assert found.label == 0, "0.1 + 0.6 * 3 / 5 is the largest"
    assert (found.successes, found.trials) == (50, 70)
    assert found.p_lower == pytest.approx(0.1 + 0.6 * clopper_pearson_lower(50, 70, 0.01))
    assert found.p_upper == pytest.approx(1 - found.p_lower)
    nothing = bound_hybrid_top_class((0.99999, 0.0), 0.99999, [0, 0], alpha=0.01)
    assert (nothing.label, nothing.trials) == (0, 0)
    assert nothing.p_lower == pytest.approx(0.99999)


@pytest.mark.parametrize("level", [0.5, 0.7, 0.9])
def test_a_conditional_level_is_the_level(level: float) -> None:
    raised = conditional_level(level, 0.3, 0.4)
    if 0 < raised < 1:
        assert hybrid_probability(0.3, 0.4, raised) >= level
        assert hybrid_probability(0.3, 0.4, raised - 1e-6) < level
    else:
        assert raised >= 1, "0.3 + 0.6 never reaches it"
        assert hybrid_probability(0.3, 0.4, 1.0) <= level + 1e-9
