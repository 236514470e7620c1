"""How a segment of a text is tried, and the reward for it: by removing it, or by transplanting it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.search.hosts import Host
from fuzzsmooth.search.mutations import delete_segment, mutate_segment
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Budget, Search, Units
from fuzzsmooth.search.rewards import bounded, kl_divergence
from fuzzsmooth.search.transplant import TransplantTest


class Trial(Protocol):
    """Tries segments of one text.

    Attributes:
        units: The n units of the text.
        cost: Evaluations of one trial.
    """

    @property
    def units(self) -> Units:
        """The n units of the text."""
        ...

    @property
    def cost(self) -> int:
        """Evaluations of one trial."""
        ...

    def rewards(self, segments: Sequence[tuple[int, int, bool]], budget: Budget) -> Search[list[float]]:
        """The reward of each trial, in [0, 1).

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
        host: What the text is read inside of; an empty host is the text alone.
        original: Class probabilities of the text inside the host, shape (classes,).
        lexicon: Units for insertions and substitutions.
        options: Bound on the edits.
        generator: Source of the mutations.
    """

    units: Units
    host: Host
    original: Probabilities
    lexicon: Sequence[str]
    options: SearchOptions
    generator: np.random.Generator

    @property
    def cost(self) -> int:
        """See :class:`Trial`."""
        return 1

    def rewards(self, segments: Sequence[tuple[int, int, bool]], budget: Budget) -> Search[list[float]]:
        """See :class:`Trial`."""
        texts = [self.host.receive(self._mutated(*segment)) for segment in segments]
        rows = yield from budget.evaluate(texts)
        return [bounded(kl_divergence(row, self.original)) for row in rows]

    def _mutated(self, start: int, end: int, again: bool) -> Units:
        most = self.options.max_edits
        if again:
            return mutate_segment(self.units, start, end, most, self.lexicon, self.generator)
        return delete_segment(self.units, start, end, most)


@dataclass(frozen=True)
class Transplantation:
    """Puts a segment alone into references of other classes: how far does it pull them to the label?

    Finds triggers that the rest of their text outweighs, so that the whole text carries nothing.

    Attributes:
        units: The n units of the text.
        label: The prediction it may carry.
        test: The transplant test, for its references.
        nothing: Mean log-odds of the label in the references as they are, in nats.
    """

    units: Units
    label: int
    test: TransplantTest
    nothing: float

    @property
    def cost(self) -> int:
        """See :class:`Trial`."""
        return self.test.glance_cost

    def rewards(self, segments: Sequence[tuple[int, int, bool]], budget: Budget) -> Search[list[float]]:
        """See :class:`Trial`; trying a segment again gives the same."""
        parts = [self.units[start:end] for start, end, _ in segments]
        pulls = yield from self.test.glances(parts, self.label, budget)
        return [bounded(max(0.0, pull - self.nothing)) for pull in pulls]
