"""Theorem 1 by brute force: every pair of short texts against the exact worst base classifier."""

from __future__ import annotations

import numpy as np
import pytest
from guarantee_universe import Tally, longest_common_subsequence, uniform_law, universe, worst_margin
from guarantee_universe import worst_probability as worst

from fuzzsmooth.certify import certified, exact_rate, lower_bound, margin_bound, radius
from fuzzsmooth.certify.edit import Threat
from fuzzsmooth.noise.text import represented

SPACES = [
    (2, 4),
    (3, 3),
    pytest.param((2, 6), marks=pytest.mark.slow),
    pytest.param((3, 4), marks=pytest.mark.slow),
    pytest.param((4, 3), marks=pytest.mark.slow),
]
RATES = [0.3, 0.7, 0.9]
LEVELS = np.array([0.55, 0.7, 0.8, 0.9, 0.97, 1.0])


@pytest.mark.parametrize("space", SPACES)
def test_edits_leave_at_most_distance_units_unmatched(space: tuple[int, int]) -> None:
    """Lemma B: max(a, b) <= unrestricted Damerau-Levenshtein distance; it is attained."""
    everything = universe(*space)
    gap = everything.distance - np.maximum(everything.source, everything.target)
    assert gap.min() == 0
    assert (gap > 0).any(), "the ball of (a, b) is really larger than the distance ball"


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rate", RATES)
def test_bounds_against_the_worst_base_classifier(space: tuple[int, int], rate: float) -> None:
    """E1 and E3 never exceed the true minimum, and some pair attains each."""
    everything, exact = universe(*space), exact_rate(rate)
    law, rate = uniform_law(everything, exact), represented(rate)  # the bounds are about the rate as given
    single, margin, at_distance = Tally(), Tally(), Tally()
    margins = 2 * LEVELS - 1
    bounds = {
        (a, b): (
            [lower_bound(p, rate, unmatched_source=a, unmatched_target=b) for p in LEVELS],
            [margin_bound(p, rate, unmatched_source=a, unmatched_target=b) for p in LEVELS],
            [certified(p, rate, unmatched_source=a, unmatched_target=b) for p in LEVELS],
        )
        for a in range(space[1] + 2)
        for b in range(space[1] + 2)
    }
    for i, j in everything.pairs():
        e1, e3, sure = bounds[everything.source[i, j], everything.target[i, j]]
        true_margin = worst_margin(law[i], law[j], margins)
        single.add(worst(law[i], law[j], LEVELS), e1)
        margin.add(true_margin, e3)
        assert (true_margin[sure] > 0).all()
        distance = everything.distance[i, j]
        at_distance.add(worst(law[i], law[j], LEVELS), bounds[distance, distance][0])
    for tally in (single, margin, at_distance):
        assert tally.violations == 0
        assert tally.checked == len(LEVELS) * len(everything.texts) * (len(everything.texts) - 1)
        assert abs(tally.slack) < 1e-9, "no pair attains the bound: it is looser than the theorem"


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rate", RATES)
def test_control_insertion_bound_fails_for_substitutions(space: tuple[int, int], rate: float) -> None:
    everything = universe(*space)
    law, tally = uniform_law(everything, exact_rate(rate)), Tally()
    for i, j in everything.pairs():
        if everything.lengths[i] == everything.lengths[j]:
            size = everything.distance[i, j]
            wrong = [lower_bound(p, rate, unmatched_source=0, unmatched_target=size) for p in LEVELS]
            tally.add(worst(law[i], law[j], LEVELS), wrong)
    assert tally.violations > tally.checked / 10, "the checker would not notice a wrong bound"


def winners(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Top class, its probability and the runner-up's, per text."""
    order = np.argsort(-probabilities, axis=1)
    rows = np.arange(len(probabilities))
    return order[:, 0], probabilities[rows, order[:, 0]], probabilities[rows, order[:, 1]]


def random_tables(generator: np.random.Generator, texts: int, count: int) -> list[np.ndarray]:
    """Base classifiers over all strings: random soft ones and random hard ones in turn, 3 classes."""
    return [
        generator.dirichlet((0.15,) * 3, size=texts)
        if index % 2
        else np.eye(3)[generator.choice(3, size=texts, p=generator.dirichlet((0.6,) * 3))]
        for index in range(count)
    ]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rate", RATES)
def test_radii_keep_the_top_class_of_three(space: tuple[int, int], rate: float) -> None:
    everything, generator = universe(*space), np.random.default_rng(11)
    law = uniform_law(everything, exact_rate(rate))
    within: dict[Threat, tuple[np.ndarray, np.ndarray | bool]] = {
        "edit": (everything.distance, True),
        "insert": (everything.target, everything.source == 0),
        "delete": (everything.source, everything.target == 0),
        "substitute": (everything.source, everything.lengths[:, None] == everything.lengths[None, :]),
    }
    checked = overclaimed = 0
    for table in random_tables(generator, len(everything.texts), 20):
        probabilities = np.clip(law @ table, 0.0, 1.0)  # sums over masks may round above 1
        label, first, second = winners(probabilities)
        unchanged = label[None, :] == label[:, None]
        for threat, (size, applies) in within.items():
            tops = zip(first, second, strict=True)
            radii = np.array([radius(p, rate, threat, p_upper=q) for p, q in tops])
            inside = applies & (size <= radii[:, None])
            checked += int(inside.sum())
            assert unchanged[inside].all(), f"{threat}: a certified text changed its class"
            overclaimed += int((~unchanged[applies & (size <= radii[:, None] + 2)]).sum())
    assert checked > 1_000
    assert overclaimed > 0, "control: two more would be too many"


@pytest.mark.parametrize("threat", ["edit", "insert", "delete"])
@pytest.mark.parametrize("p_lower", [0.6, 0.75, 0.9, 0.97])
def test_one_more_than_the_radius_flips_for_the_worst_classifier(threat: Threat, p_lower: float) -> None:
    """On texts of distinct units three outcomes suffice, so radii of any size can be checked exactly."""
    rate = exact_rate(0.6)
    size = radius(p_lower, rate, threat)
    assert size >= 0
    for beyond in (0, 1):
        a = 0 if threat == "insert" else size + beyond
        b = 0 if threat == "delete" else size + beyond
        # outcomes: only shared units left / some unmatched unit of the source left / some of the target left
        source, target = np.array([rate**a, 1 - rate**a, 0]), np.array([rate**b, 0, 1 - rate**b])
        assert (worst_margin(source, target, 2 * p_lower - 1) > 0) == (beyond == 0)


@pytest.mark.parametrize("cut", [2, 3])
def test_truncation_before_deletion_keeps_only_the_edit_form(cut: int) -> None:
    """Lemma C: cutting both texts keeps max(a, b); insertions alone turn into edits (the control)."""
    everything = universe(2, 4)
    lost = 0
    for i, j in everything.pairs():
        one, two = everything.texts[i][:cut], everything.texts[j][:cut]
        common = longest_common_subsequence(one, two)
        a, b = len(one) - common, len(two) - common
        assert max(a, b) <= max(everything.source[i, j], everything.target[i, j])
        lost += everything.source[i, j] == 0 and a > 0
    assert lost > 0
