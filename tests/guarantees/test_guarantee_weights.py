"""Theorem 6 with exact Gaussian integrals over weights and exact deletion laws over texts."""

from __future__ import annotations

import numpy as np
import pytest
from guarantee_universe import Tally, uniform_law, universe
from scipy.stats import norm

from deletion_bounds import lower_bound
from fuzzsmooth.certify import exact_rate, joint_lower_bound, joint_radius

SPACES = [(2, 3), pytest.param((2, 4), marks=pytest.mark.slow), pytest.param((3, 3), marks=pytest.mark.slow)]
RATE = 0.8


def answers(
    generator: np.random.Generator, texts: int, delta: float, kind: int
) -> tuple[np.ndarray, np.ndarray]:
    """P[h = A] per remaining text at both weights, for half-lines, their complements and unions of intervals.

    Only the projection of the noise on the direction of the weight change matters; it is N(0, 1) at one set
    of weights and N(delta, 1) at the other.
    """
    if kind < 2:
        cut = generator.normal(size=texts) * 1.5
        here, there = norm.cdf(cut), norm.cdf(cut - delta)
    else:
        ends = np.sort(generator.normal(size=(texts, 4)) * 2, axis=1)
        here, there = (
            (norm.cdf(ends[:, 1::2] - move) - norm.cdf(ends[:, ::2] - move)).sum(axis=1)
            for move in (0.0, delta)
        )
    return (1 - here, 1 - there) if kind == 1 else (here, there)


@pytest.mark.parametrize("space", SPACES)
def test_joint_bound(space: tuple[int, int]) -> None:
    everything, generator = universe(*space), np.random.default_rng(0)
    law, tally = uniform_law(everything, exact_rate(RATE)), Tally()
    for repetition in range(18):
        delta = float(generator.uniform(0, 2))
        here, there = answers(generator, len(everything.texts), delta, repetition % 3)
        p_here, p_there = np.clip(law @ here, 0, 1), law @ there
        for i, j in everything.pairs():
            claimed = joint_lower_bound(
                float(p_here[i]),
                RATE,
                delta,
                unmatched_source=int(everything.source[i, j]),
                unmatched_target=int(everything.target[i, j]),
            )
            tally.add(p_there[j], claimed)
    assert tally.violations == 0
    assert tally.checked > 3_000


def test_it_is_attained() -> None:
    """h = A on remainders with a unit of the source, not A with a fresh unit, a half-line on shared ones."""
    rate = exact_rate(RATE)
    for p in (0.6, 0.8, 0.95):
        for size in (1, 2, 3):
            for delta in (0.1, 0.5, 1.0):
                mass = rate**size
                if p <= 1 - mass:
                    continue
                cut = norm.ppf((p - 1 + mass) / mass)
                assert (1 - mass) + mass * norm.cdf(cut) == pytest.approx(p)
                true = mass * norm.cdf(cut - delta)
                claimed = joint_lower_bound(p, rate, delta, unmatched_source=size, unmatched_target=size)
                assert claimed <= true
                assert claimed == pytest.approx(true, abs=1e-9)


def test_control_forgetting_the_weights_overclaims() -> None:
    """The edit bound alone is violated as soon as the weights move."""
    rate, p, delta, size = exact_rate(RATE), 0.9, 1.0, 1
    mass = rate**size
    true = mass * norm.cdf(norm.ppf((p - 1 + mass) / mass) - delta)
    assert true < lower_bound(p, rate, unmatched_source=size, unmatched_target=size) - 0.1
    assert joint_radius(p, rate, delta) < 1
