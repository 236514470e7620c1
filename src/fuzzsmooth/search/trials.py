"""How a segment of a text is tried, and the reward for it: by removing it, or by transplanting it alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.search.contexts import Context
from fuzzsmooth.search.mutations import delete_segment, mutate_segment
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Budget, Search, Units
from fuzzsmooth.search.transplant import TransplantTest

_TINY = 1e-12


class Trial(Protocol):
    """Tries segments of one text.

    Attributes:
        cost: Evaluations of one segment.
    """

    cost: ClassVar[int]

    @property
    def units(self) -> Units:
        """The n units of the text."""
        ...

    def rewards(self, segments: Sequence[tuple[int, int, bool]], budget: Budget) -> Search[list[float]]:
        """The reward of each segment, in [0, 1).

        Args:
            segments: (start, end, again): the units [start, end), and whether they were tried before.
            budget: Pays for the evaluations.
        """
        ...


@dataclass(frozen=True)
class Removal:
    """Mutates a segment where it stands: does the prediction change (FRS Eq. 8)?

    The first mutation of a segment deletes it, later ones are random.

    Attributes:
        units: The n units of the text.
        context: What the text is read inside of; an empty context is the text alone.
        original: Class probabilities of the text inside the context, shape (classes,).
        lexicon: Units for insertions and substitutions.
        options: Bound on the edits.
        generator: Source of the mutations.
    """

    cost: ClassVar[int] = 1
    units: Units
    context: Context
    original: Probabilities
    lexicon: Sequence[str]
    options: SearchOptions
    generator: np.random.Generator

    def rewards(self, segments: Sequence[tuple[int, int, bool]], budget: Budget) -> Search[list[float]]:
        """See :class:`Trial`."""
        texts = [self.context.around(self._mutated(*segment)) for segment in segments]
        rows = yield from budget.evaluate(texts)
        return [bounded(kl_divergence(row, self.original)) for row in rows]

    def _mutated(self, start: int, end: int, again: bool) -> Units:
        most = self.options.max_edits
        if again:
            return mutate_segment(self.units, start, end, most, self.lexicon, self.generator)
        return delete_segment(self.units, start, end, most)


@dataclass(frozen=True)
class Transplantation:
    """Puts a segment alone into contexts of other classes: how far does it move them to the label?

    Finds triggers that the rest of their text outweighs, so that the whole text carries nothing.

    Attributes:
        units: The n units of the text.
        label: The prediction it may carry.
        test: The transplant test, for its contexts.
        start: Mean log-odds of the label in the contexts as they are, in nats.
    """

    cost: ClassVar[int] = TransplantTest.screen_cost
    units: Units
    label: int
    test: TransplantTest
    start: float

    def rewards(self, segments: Sequence[tuple[int, int, bool]], budget: Budget) -> Search[list[float]]:
        """See :class:`Trial`; trying a segment again gives the same."""
        parts = [self.units[start:end] for start, end, _ in segments]
        reached = yield from self.test.screen(parts, self.label, budget)
        return [bounded(max(0.0, odds - self.start)) for odds in reached]


def kl_divergence(mutated: Probabilities, original: Probabilities) -> float:
    """KL(P(y | mutated) || P(y | original)) in nats (FRS Eq. 8); both of shape (classes,)."""
    ratio = np.log(np.maximum(mutated, _TINY)) - np.log(np.maximum(original, _TINY))
    return max(0.0, float(np.sum(mutated * ratio)))


def bounded(divergence: float) -> float:
    """Map a divergence in [0, inf) to a reward in [0, 1), as the confidence bound assumes."""
    return 1.0 - math.exp(-divergence)
