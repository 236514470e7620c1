"""Theorem 2b: exact certificates hold for every neighbor, and order as Theorem 1 <= Theorem 2b <= truth."""

from __future__ import annotations

import numpy as np
import pytest
from guarantee_universe import Universe, uniform_law, universe

from fuzzsmooth.certify import (
    ExactProbabilities,
    Threat,
    exact_frontier,
    exact_probabilities,
    exact_radius,
    exact_rate,
    frontier,
    radius,
)

SPACES = [(2, 4), pytest.param((2, 6), marks=pytest.mark.slow)]
THREATS: list[Threat] = ["edit", "insert", "delete"]


def exact_of(space: Universe, row: int, table: np.ndarray, rate: float) -> ExactProbabilities:
    """Theorem 2b's view of one text: the base classifier on all of its masks."""
    text = space.texts[row]
    kept = [
        space.index[tuple(unit for place, unit in enumerate(text) if mask >> place & 1)]
        for mask in range(1 << len(text))
    ]
    return exact_probabilities(table[kept], rate)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_exact_radii_keep_the_class_at_every_neighbor(space: tuple[int, int], rate: float) -> None:
    everything, generator = universe(*space), np.random.default_rng(21)
    law = uniform_law(everything, exact_rate(rate))
    within = {
        "edit": everything.distance,
        "insert": np.where(everything.source == 0, everything.target, 99),
        "delete": np.where(everything.target == 0, everything.source, 99),
    }
    checked = gained = overclaimed = 0
    for repetition in range(12):
        size = len(everything.texts)
        if repetition % 2:
            table = np.eye(3)[generator.choice(3, size=size, p=generator.dirichlet((0.5,) * 3))]
        else:  # right near one length, wrong elsewhere: where strata help
            right = np.abs(everything.lengths - generator.integers(0, 3)) <= 1
            table = np.eye(3)[np.where(right, 0, generator.integers(1, 3, size=size))]
        truth = law @ table
        labels = truth.argmax(axis=1)
        for row in range(size):
            exact = exact_of(everything, row, table, rate)
            assert exact.probabilities == pytest.approx(truth[row])
            first, second = np.sort(exact.probabilities)[:-3:-1]
            for threat in THREATS:
                found = exact_radius(exact, threat)
                plain = radius(
                    max(0.0, float(first) - 1e-10),
                    rate,
                    threat,
                    p_upper=min(1.0, float(second) + 1e-10),
                    length=exact.length,
                )
                assert found >= plain
                gained += found > plain
                inside = within[threat][row] <= found
                assert (labels[inside] == exact.label).all()
                checked += int(inside.sum())
                overclaimed += int((labels[within[threat][row] <= found + 2] != exact.label).sum())
    assert checked > 1_000
    assert gained > 0, "it is never larger than Theorem 1 here: nothing was tested"
    assert overclaimed > 0, "control: two more would be too many"


@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_frontiers_keep_the_class_at_every_mixture(rate: float) -> None:
    """All pairs of texts: within a pair of either frontier nothing changes; just outside, something does."""
    everything, generator, rate = universe(2, 4), np.random.default_rng(3), exact_rate(rate)
    law, checked, gained, overclaimed = uniform_law(everything, rate), 0, 0, 0
    for _ in range(10):
        table = np.eye(3)[generator.choice(3, size=len(everything.texts), p=(0.7, 0.2, 0.1))]
        labels = (law @ table).argmax(axis=1)
        for row in range(len(everything.texts)):
            exact = exact_of(everything, row, table, rate)
            sharp = exact_frontier(exact)
            plain = frontier(exact.p_lower, rate, p_upper=exact.p_upper, length=exact.length)
            assert all(any(b <= more and a <= fewer for more, fewer in sharp) for b, a in plain)
            gained += sharp != plain
            for pairs in (sharp, plain):
                for b, a in pairs:
                    inside = (everything.target[row] <= b) & (everything.source[row] <= a)
                    assert (labels[inside] == exact.label).all()
                    checked += int(inside.sum())
                    wider = (everything.target[row] <= b + 1) & (everything.source[row] <= a + 1)
                    overclaimed += int((labels[wider] != exact.label).sum())
            if sharp:
                assert sharp[0][1] == exact_radius(exact, "delete")
                assert sharp[-1][0] == exact_radius(exact, "insert")
                assert max(min(pair) for pair in sharp) == min(exact_radius(exact, "edit"), exact.length)
            else:
                assert exact_radius(exact) == -1
    assert checked > 1_000
    assert gained > 0
    assert overclaimed > 0, "control: one more of both would be too many"
