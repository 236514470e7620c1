"""Theorem 3: fuzzing what deletion left keeps every bound; fuzzing that reads the text itself does not."""

from __future__ import annotations

import numpy as np
import pytest
from guarantee_universe import Tally, Universe, uniform_law, universe
from guarantee_universe import worst_probability as worst

from deletion_bounds import lower_bound
from fuzzsmooth.certify import conditional_radius, exact_rate, radius

LEVELS = np.array([0.6, 0.8, 0.95, 1.0])
SPACES = [(2, 4), pytest.param((3, 4), marks=pytest.mark.slow)]


def search_kernel(space: Universe, generator: np.random.Generator) -> np.ndarray:
    """An adaptive search as a Markov kernel: finds the most suspect unit of z, deletes or replaces it."""
    kernel = np.zeros((len(space.texts), len(space.texts)))
    for row, text in enumerate(space.texts):
        kernel[row, row] += 0.1 if text else 1.0
        if text:
            suspect = int(np.argmax(generator.random(len(text))))
            shorter = text[:suspect] + text[suspect + 1 :]
            replaced = (*text[:suspect], int(generator.integers(space.vocabulary)), *text[suspect + 1 :])
            kernel[row, space.index[shorter]] += 0.6
            kernel[row, space.index[replaced]] += 0.3
    return kernel


def kernels(space: Universe, generator: np.random.Generator) -> list[np.ndarray]:
    """The identity, searches of one and two steps, random maps and random stochastic kernels."""
    size = len(space.texts)
    search = search_kernel(space, generator)
    return [
        np.eye(size),
        search,
        search @ search,
        np.eye(size)[generator.integers(size, size=size)],
        generator.dirichlet((0.02,) * size, size=size),
    ]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_any_kernel_after_deletion_keeps_the_bounds(space: tuple[int, int], rate: float) -> None:
    everything, tally = universe(*space), Tally()
    law = uniform_law(everything, exact_rate(rate))
    bounds: dict[tuple[int, int], list[float]] = {}
    for kernel in kernels(everything, np.random.default_rng(3)):
        outcome = law @ kernel
        for i, j in everything.pairs():
            a, b = int(everything.source[i, j]), int(everything.target[i, j])
            if (a, b) not in bounds:
                bounds[a, b] = [lower_bound(p, rate, unmatched_source=a, unmatched_target=b) for p in LEVELS]
            tally.add(worst(outcome[i], outcome[j], LEVELS), bounds[a, b])
    assert tally.violations == 0
    assert abs(tally.slack) < 1e-9, "the identity kernel attains the bound"


def test_control_fuzzing_that_reads_the_text_breaks_the_bound() -> None:
    """The fuzzer wipes what is left whenever the ORIGINAL text holds unit 1: a leak past the deletion."""
    everything, rate, tally = universe(2, 4), exact_rate(0.8), Tally()
    law = uniform_law(everything, rate)
    nonempty = (everything.lengths > 0).astype(float)
    empty_answer = 1.0 - law @ nonempty  # class A is "nothing left"
    leaky = np.array(
        [1.0 if 1 in text else value for text, value in zip(everything.texts, empty_answer, strict=True)]
    )
    for probability in (leaky, 1.0 - leaky):
        for i, j in everything.pairs():
            distance = int(everything.distance[i, j])
            claimed = lower_bound(probability[i], rate, unmatched_source=distance, unmatched_target=distance)
            tally.add(probability[j], claimed)
    assert tally.violations > 0


def test_control_published_radius_fails_when_the_search_misses() -> None:
    """Rates chosen by a search on the text: the claim at the high rate is violated, at the low one not.

    The search flags a decoy (rate .9) and everything else is deleted at rate .6; h answers A unless a trigger
    unit is left, so p_A = .6^r with r trigger units.
    """
    low, high = exact_rate(0.6), exact_rate(0.9)
    p_clean, triggered = 1.0, [low**size for size in range(6)]
    claimed, proved = conditional_radius(p_clean, high), radius(p_clean, low, "insert")
    assert claimed >= 6 > proved
    assert min(triggered[: proved + 1]) > 0.5
    assert triggered[2] < 0.5, "two units flip what the formula certifies up to six"
