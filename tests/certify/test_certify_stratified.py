"""Strata: the bound of the selected class covers, and its levels are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from fuzzsmooth.certify import Strata, bound_top_class, clopper_pearson_lower

PARTS, MASS, TRIALS = (0.25, 0.2), 0.5, 60  # 0.05 of the enumerated mass is undecided
STRATA = Strata(PARTS, MASS)


def miscoverage(rest: float, alpha: float, *, corrected: bool) -> float:
    """Exact P[bound of the selected class > its probability]; the draws are of class 0 with P = rest."""
    votes = np.arange(TRIALS + 1)
    truth = [PARTS[0] + (1 - MASS) * rest, PARTS[1] + (1 - MASS) * (1 - rest)]
    failed = []
    for count in votes.tolist():
        level = alpha if corrected else 2 * alpha
        found = bound_top_class([count, TRIALS - count], alpha=level, strata=STRATA)
        failed.append(found.p_lower > truth[found.label])
    return float(binom.pmf(votes, TRIALS, rest) @ np.array(failed))


@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_the_bound_of_the_selected_class_covers(alpha: float) -> None:
    grid = np.linspace(0.02, 0.98, 97)
    assert max(miscoverage(rest, alpha, corrected=True) for rest in grid) <= alpha
    assert max(miscoverage(rest, alpha, corrected=False) for rest in grid) > alpha, "control: one class only"


def test_separate_draws_bound_at_the_whole_alpha_and_undecided_ones_are_failures() -> None:
    strata = Strata((0.1, 0.2, 0.0), 0.4)
    found = bound_top_class([3, 1, 1], [50, 5, 5], alpha=0.01, undecided=10, strata=strata)
    assert found.label == 0, "0.1 + 0.6 * 3 / 5 is the largest"
    assert (found.successes, found.trials) == (50, 70)
    assert found.p_lower == pytest.approx(0.1 + 0.6 * clopper_pearson_lower(50, 70, 0.01))
    assert found.p_upper == pytest.approx(1 - found.p_lower)
    nothing = bound_top_class([0, 0], alpha=0.01, strata=Strata((0.99999, 0.0), 0.99999))
    assert (nothing.label, nothing.trials) == (0, 0)
    assert nothing.p_lower == pytest.approx(0.99999)


def test_two_enumerated_classes_need_no_draw_however_near_they_are() -> None:
    """All answers undecided, or a near tie: nothing is certified, and nobody is told to draw."""
    for parts in ((0.0, 0.0), (0.499999, 0.499998)):
        for rivals in ("auto", "complement", "separate"):
            found = bound_top_class([0, 0], alpha=0.01, rivals=rivals, strata=Strata(parts, 0.99999))  # type: ignore[arg-type]
            assert (found.label, found.trials) == (0, 0)
            assert found.p_lower <= 0.5 <= found.p_upper


@pytest.mark.parametrize("level", [0.5, 0.7, 0.9])
def test_a_conditional_level_is_the_level(level: float) -> None:
    strata = Strata((0.3, 0.1), 0.4)
    raised = strata.level(0, level)
    if 0 < raised < 1:
        assert strata.lower(0, raised) >= level
        assert strata.lower(0, raised - 1e-6) < level
    else:
        assert raised >= 1, "0.3 + 0.6 never reaches it"
        assert strata.lower(0, 1.0) <= level + 1e-9
