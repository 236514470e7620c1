"""Substitution: units are replaced by units drawn from a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.text.kernel import KERNELS, Rates, TextKernel, kept_mask, require_rate_per_unit


@KERNELS.register("substitution")
@dataclass(frozen=True)
class Substitution(TextKernel):
    """Replaces each unit independently with its rate by a uniform draw from one fixed vocabulary.

    The draw may give the unit that was there, so a unit of the vocabulary is changed with probability
    rate * (1 - 1 / len(vocabulary)). The vocabulary is the same for every unit and text.

    Args:
        vocabulary: Distinct units to draw from; their order is part of what a seed stands for.

    Raises:
        FuzzsmoothError: If the vocabulary is empty or lists a unit twice.
    """

    vocabulary: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", tuple(self.vocabulary))
        require(len(self.vocabulary) > 0, "the vocabulary of substitutions is empty; give at least one unit")
        require(
            len(set(self.vocabulary)) == len(self.vocabulary),
            "the vocabulary of substitutions lists a unit twice; remove the repetition",
        )

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """As many units as before, some replaced; shape and errors as in :class:`TextKernel`."""
        require_rate_per_unit(units, rates)
        hit = np.flatnonzero(~kept_mask(rates, generator)).tolist()
        # Bounded integers are drawn by rejection, hence exactly uniform for any size of the vocabulary.
        chosen = generator.integers(0, len(self.vocabulary), size=len(hit)).tolist()
        replaced = list(units)
        for position, choice in zip(hit, chosen, strict=True):
            replaced[position] = self.vocabulary[choice]
        return tuple(replaced)
