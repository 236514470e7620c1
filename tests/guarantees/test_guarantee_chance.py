"""A classifier that answers by chance is a base classifier like any other, but never a fact."""

from __future__ import annotations

import numpy as np
import pytest
from guarantee_models import Chance
from scipy.stats import binom

from defended import options_for
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import defend
from fuzzsmooth.engine.options import Statistics
from fuzzsmooth.models import CallableClassifier

LAW = (0.65, 0.35)
ALPHA, RUNS = 0.01, 300


def certify(
    statistics: Statistics, seed: int, units: int, *, deterministic: bool = False
) -> tuple[int | None, float, str]:
    answers = CallableClassifier(Chance(LAW, seed), ["neg", "pos"], deterministic=deterministic)
    options = options_for(
        defense="deletion", sigma=0.0, fuzzing=False, rate=0.9, statistics=statistics, draws=400, seed=seed,
        alpha=ALPHA,
    )  # fmt: skip
    (one,) = defend(answers, options).certify([" ".join(f"w{at}" for at in range(units))])
    p_lower = one.certificates[0].p_lower
    assert p_lower is not None
    return one.label, p_lower, one.statistics


@pytest.mark.parametrize("units", [4, 14])
@pytest.mark.parametrize("statistics", ["auto", "group-sequential", "sequential", "fixed"])
def test_bounds_of_chance_fail_with_probability_alpha_at_most(statistics: Statistics, units: int) -> None:
    found = [certify(statistics, seed, units) for seed in range(RUNS)]
    assert not any("exact" in how or "hybrid" in how for _, _, how in found), "nothing is enumerated"
    wrong = sum(label == 1 or (label == 0 and bound > LAW[0]) for label, bound, _ in found)
    assert binom.sf(wrong - 1, RUNS, ALPHA) > 1e-3, f"{wrong} of {RUNS} bounds are false at alpha {ALPHA}"
    assert sum(label == 0 for label, _, _ in found) > RUNS / 2, "and most are certified all the same"


def test_control_enumerated_chance_is_certified_falsely() -> None:
    """What used to happen to every function: one answer each, taken for certain."""
    found = [certify("auto", seed, 4, deterministic=True) for seed in range(RUNS)]
    assert {how for _, _, how in found} == {"exact"}
    assert sum(label == 1 for label, _, _ in found) > RUNS / 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"defense": "windows"},
            "defense 'windows' certifies without draws and needs a deterministic classifier",
        ),
        (
            {"defense": "deletion", "fuzzing": True},
            "defense 'deletion' fuzzes by what the classifier answered once",
        ),
    ],
)
def test_what_takes_one_answer_for_a_fact_is_refused(options: dict[str, object], said: str) -> None:
    answers = CallableClassifier(Chance(LAW, 0), ["neg", "pos"])
    with pytest.raises(FuzzsmoothError, match=said):
        defend(answers, options_for(**({"sigma": 0.0, "fuzzing": False} | options)))


def test_equal_texts_are_asked_again() -> None:
    """Twelve hundred draws of a text of one word have two remainders and twelve hundred answers."""
    answers = CallableClassifier(Chance((0.5, 0.5), 3), ["neg", "pos"])
    options = options_for(defense="deletion", sigma=0.0, fuzzing=False, rate=0.5, copies=1200)
    (one,) = defend(answers, options).predict(["word"])
    assert abs(one.votes[0] - 600) < 5 * np.sqrt(300)
