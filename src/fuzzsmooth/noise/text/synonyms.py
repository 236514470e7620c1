"""Synonyms: the kernel of SAFER (Ye et al., ACL 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fuzzsmooth.noise.text.kernel import KERNELS, Rates, TextKernel


@KERNELS.register("synonyms")
@dataclass(frozen=True)
class Synonyms(TextKernel):
    """Replaces every unit that has a set by a uniform draw from it, independently; positions stay.

    The rates of the units are not read.

    Args:
        sets: Lower-cased unit to the units that may stand for it, none of these tuples empty.
    """

    sets: Mapping[str, tuple[str, ...]]

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """As many units as before; upper and lower case are read alike."""
        del rates
        sets = [self.sets.get(unit.lower(), (unit,)) for unit in units]
        # Bounded integers are drawn by rejection, hence exactly uniform for any size of a set.
        chosen = generator.integers(0, [len(one) for one in sets]).tolist() if sets else []
        return tuple(one[choice] for one, choice in zip(sets, chosen, strict=True))
