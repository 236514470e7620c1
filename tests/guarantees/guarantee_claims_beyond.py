"""Claims of Theorems 2b (all masks) and 6 (weights), and of the published radius on its condition."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from guarantee_claims import named, operations
from guarantee_pairs import FAR, GRID, SmoothedClaim, Trial
from guarantee_universe import Text, Universe, deletion_law, steps_of, uniform_law, universe
from scipy.special import ndtr, ndtri

from fuzzsmooth.certify import (
    Threat,
    conditional_radius,
    exact_probabilities,
    exact_radius,
    exact_rate,
    joint_radius,
)


class ExactClaim(SmoothedClaim):
    """Theorem 2b: the reach comes from the answers on all masks, not from the probabilities of the text."""

    share, batch = 0.1, 8

    def __init__(self, space: Universe, rate: float, threat: Threat) -> None:
        within, cap = operations(space)[threat]
        super().__init__(
            f"T2b {threat} | {named(space, f'w = {rate:.1f}')}", "T2b", "certify.theorems.exact.exact_radius",
            within, cap, law=uniform_law(space, rate), radii=lambda group, low, high: -1,
        )  # fmt: skip
        self.rate, self.threat = rate, threat
        self.kept = [
            np.array(
                [
                    space.index[tuple(unit for place, unit in enumerate(text) if mask >> place & 1)]
                    for mask in range(1 << len(text))
                ]
            )
            for text in space.texts
        ]

    def draw(self, generator: np.random.Generator, kind: int) -> Trial:
        """As of :class:`SmoothedClaim`; three classes every other time."""
        table = self.classifiers(generator, kind, 2 + kind % 2)
        answers = self.probabilities(table).argmax(axis=0).astype(np.int8)
        reach = np.full(answers.shape, -1, dtype=np.int16)
        for row, kept in enumerate(self.kept):
            for column in range(self.batch):
                exact = exact_probabilities(table[:, kept, column].T, self.rate)
                reach[row, column] = min(exact_radius(exact, self.threat), FAR)
        return Trial(answers, reach, answers)


class WeightClaim(SmoothedClaim):
    """Theorem 6: the weights move by delta as well; operations count from 1, which is the text itself.

    P[h = 0] is Phi(cut) at one set of weights, and Phi(cut - delta) at the other: the base classifier is a
    half-line in the direction of the change.
    """

    def __init__(self, space: Universe, rate: float, delta: float, threat: Threat) -> None:
        within, cap = operations(space)[threat]

        def radii(group: int, low: float, high: float | None) -> int:
            return joint_radius(min(low, 1 - 1 / GRID**2), rate, delta, threat) + 1 or -1

        super().__init__(
            f"T6 {threat} | {named(space, f'w = {rate:.1f}, delta = {delta}')}",
            "T6",
            "certify.theorems.weights.joint_radius",
            np.where(within < FAR, within + 1, FAR), cap + 1,
            law=uniform_law(space, rate), radii=radii, rivals=False,
        )  # fmt: skip
        self.delta = delta

    def draw(self, generator: np.random.Generator, kind: int) -> Trial:
        """Half-lines at random; the worst ones for some pair."""
        if kind % 2:
            chosen = self.near[generator.integers(len(self.near), size=self.batch)]
            source, target = self.law[chosen[:, 0]].T, self.law[chosen[:, 1]].T
            shared = ndtr(generator.normal(0.5, 1, size=self.batch))
            here = np.where(source == 0, 0.0, np.where(target == 0, 1.0, shared))
        else:
            here = ndtr(generator.normal(0.7, 1.5, size=(self.law.shape[1], self.batch)))
        there = ndtr(ndtri(here) - self.delta)
        answers, reach = self.certified(self.probabilities(np.stack([here, 1 - here])))
        received = self.probabilities(np.stack([there, 1 - there])).argmax(axis=0).astype(np.int8)
        return Trial(answers, reach, received)


def published_claims(longest: int) -> Iterator[SmoothedClaim]:
    """The published radius where its condition holds: each unit says itself whether it is marked."""
    low, high = exact_rate(0.6), exact_rate(0.9)
    texts = universe(4, longest)  # letter = unit % 2, marked = unit >= 2

    def claimed(masked: bool) -> Callable[[int, float, float | None], int]:
        return lambda group, p, q: conditional_radius(p, high, p_upper=q, masked=masked)

    law = deletion_law(texts, lambda text: tuple(high if unit >= 2 else low for unit in text))
    letters = np.zeros((len(texts.texts), len(texts.texts)))
    for row, text in enumerate(texts.texts):
        letters[row, texts.index[tuple(unit % 2 for unit in text)]] = 1

    def insert(text: Text) -> Iterator[Text]:
        for place, unit in itertools.product(range(len(text) + 1), (2, 3)):
            yield (*text[:place], unit, *text[place:])

    yield SmoothedClaim(
        f"FRS trigger | {named(texts, 'w = 0.6, 0.9')}", "FRS, on its condition",
        "certify.theorems.frs.conditional_radius", steps_of(texts.texts, insert, FAR),
        longest - texts.lengths, law=law @ letters, radii=claimed(False),
    )  # fmt: skip

    def substitute(text: Text) -> Iterator[Text]:
        for place, unit in enumerate(text):
            if unit >= 2:
                yield (*text[:place], 5 - unit, *text[place + 1 :])

    whole = list(itertools.product(range(4), repeat=longest))
    outcomes = {seen: position for position, seen in enumerate(itertools.product(range(3), repeat=longest))}
    masked = np.zeros((len(whole), len(outcomes)))
    for row, text in enumerate(whole):
        for hidden in itertools.product((False, True), repeat=longest):
            rates = [high if unit >= 2 else low for unit in text]
            chance = np.prod([w if gone else 1 - w for w, gone in zip(rates, hidden, strict=True)])
            seen = tuple(2 if gone else unit % 2 for unit, gone in zip(text, hidden, strict=True))
            masked[row, outcomes[seen]] += chance
    yield SmoothedClaim(
        f"FRS masked | 4 letters, {longest} units, w = 0.6, 0.9", "FRS, on its condition",
        "certify.theorems.frs.conditional_radius", steps_of(whole, substitute, FAR),
        np.full(len(whole), FAR), law=masked, radii=claimed(True),
    )  # fmt: skip
