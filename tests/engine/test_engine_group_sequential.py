"""Statistics "group-sequential": fewer passes than a fixed sample, bounds as sharp, the same error
probability."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from engine_worlds import Recording, Rule, smoothed

from fuzzsmooth.certify import clopper_pearson_lower, stratum_mass
from fuzzsmooth.certify.looks import LAST_SHARE
from fuzzsmooth.engine.group_sequential import contenders, equal_draws, plan_looks
from fuzzsmooth.noise.text import represented

ALPHA = 0.05


def certify(rule: Any, texts: list[str], statistics: str, **options: Any) -> Any:
    settings = {"defense": "deletion", "fuzzing": False, "draws": 200, "alpha": ALPHA, "rate": 0.7} | options
    return smoothed(rule, statistics=statistics, **settings).certify(texts)


def words(count: int, name: str = "w") -> str:
    return " ".join(f"{name}{index}" for index in range(count))


@pytest.mark.parametrize(("part", "mass"), [(0.3, 0.4), (0.0, 0.1), (0.65, 0.68), (0.68, 0.68)])
def test_equal_draws_are_the_fewest_that_are_as_sharp(part: float, mass: float) -> None:
    """By direct comparison at counts that are whole numbers, and not so with a tenth less."""
    draws, alpha = 1000, 1e-3
    count = equal_draws(part, mass, draws, alpha=alpha, plain_alpha=alpha / 2)

    def loses(trials: int) -> bool:
        slack = 1.0 / draws  # of rounding to whole counts
        for successes in range(0, trials + 1, max(1, trials // 40)):
            share = successes / trials
            plain = clopper_pearson_lower(round((part + (1 - mass) * share) * draws), draws, alpha / 2)
            own = part + (1 - mass) * clopper_pearson_lower(successes, trials, LAST_SHARE * alpha)
            if own < plain - slack:
                return True
        return False

    assert not loses(count)
    assert loses(round(0.8 * count))
    assert (1 - mass) ** 2 * draws * 0.9 < count <= draws


def test_the_plan_has_the_fewest_expected_passes() -> None:
    """The distinct masks of simulated draws are what was forecast; other plans need more."""
    rng, length, rate, draws = np.random.default_rng(0), 16, 0.9, 1000
    best, passes = plan_looks(length, rate, draws)
    assert best == 1 or best == 2
    masks = rng.random((4000, length)) >= rate
    masks = masks[masks.sum(axis=1) > best]
    rest = int(np.ceil(draws * (1 - stratum_mass(length, rate, best)) ** 2))
    distinct = len({row.tobytes() for row in masks[:rest]})
    enumerated = sum(1 for mask in range(1 << length) if mask.bit_count() <= best)
    assert abs(enumerated + distinct - passes) < 0.1 * passes
    assert passes < draws / 3
    assert plan_looks(200, 0.3, draws)[0] is None, "nothing is gained where all remainders are long"


def test_contenders_are_all_unless_one_can_hardly_be_overtaken() -> None:
    assert contenders((0.6, 0.1), 0.7) == (0,)
    assert contenders((0.1, 0.6, 0.0), 0.7) == (1,)
    assert contenders((0.4, 0.3), 0.7) == (0, 1)
    assert contenders((0.0, 0.0, 0.0), 0.0) == (0, 1, 2)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("length", [14, 60])
def test_a_bound_fails_with_probability_alpha_at_most(length: int, classes: int) -> None:
    """A rule that says 1 iff the first unit is left: P[0] = .6, exactly; with strata and without."""
    rule = Rule(lambda text: int(text.startswith("first")), classes=classes)
    texts = [f"first{index} {words(length - 1)}" for index in range(400)]
    answers = certify(rule, texts, "group-sequential", rate=0.6, draws=140, awaited=("edit", "insert"))
    truth = [represented(0.6), 1 - represented(0.6)]
    wrong = [one.certificates[0].p_lower > truth[one.votes.index(max(one.votes))] for one in answers]
    assert sum(wrong) <= 400 * ALPHA + 4 * (400 * ALPHA * (1 - ALPHA)) ** 0.5
    shown = [one.certificates[0].p_lower for one in answers if one.label is not None]
    assert len(shown) > 200
    assert np.mean(shown) > 0.5


def test_fewer_passes_and_radii_no_smaller() -> None:
    """Rules with all sorts of probabilities; what is lost to early stops is made up for by enumeration."""
    radii: dict[str, list[int]] = {"fixed": [], "group-sequential": []}
    passes: dict[str, list[int]] = {"fixed": [], "group-sequential": []}
    for name in radii:
        for seed in range(60):
            wanted = 2 + seed % 7
            rule = Rule(lambda text, wanted=wanted: int(sum(map(len, text.split())) > wanted * 2))
            text = " ".join("g" * (1 + (seed + at) % 5) for at in range(12 + seed % 9))
            (one,) = certify(rule, [text], name, draws=1000, rate=0.9, alpha=1e-3, seed=seed)
            radii[name].append(one.certificates[0].radius if one.label is not None else -1)
            passes[name].append(one.passes)
    assert np.mean(radii["group-sequential"]) >= np.mean(radii["fixed"])
    assert np.mean(passes["group-sequential"]) < 0.4 * np.mean(passes["fixed"])


def test_neighbors_change_nothing_and_draws_are_not_exceeded() -> None:
    rule = Rule(lambda text: int(len(text) % 7 > 2))
    texts = [words(length, "g" * (1 + length % 3)) for length in (0, 2, 5, 9, 14, 23, 40, 64)]
    recording = Recording(rule)
    together = certify(recording, texts, "group-sequential", rate=0.8)
    assert len(recording.texts) <= 200 * len(texts)
    for text, one in zip(texts, together, strict=True):
        (alone,) = certify(rule, [text], "group-sequential", rate=0.8)
        assert alone == one
        assert one.passes <= 200
    names = {one.statistics for one in together}
    assert {"exact", "stratified-group-sequential"} <= names
    lengths = [one.passes for one in together[:3]]
    assert all(low <= high for low, high in pairwise(lengths))
