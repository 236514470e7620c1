"""Deletion and shuffling: the kernel of Text-CRS against word deletion (Zhang et al., S&P 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import numpy as np

from fuzzsmooth.noise.text.kernel import KERNELS, Rates, TextKernel, kept_mask, require_rate_per_unit


@KERNELS.register("shuffled-deletion")
@dataclass(frozen=True)
class ShuffledDeletion(TextKernel):
    """Deletes each unit independently with its rate, and puts what is left in a uniformly random order."""

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """See :class:`TextKernel`; the order is drawn after the coins, from what is left alone."""
        require_rate_per_unit(units, rates)
        left = tuple(compress(units, kept_mask(rates, generator).tolist()))
        return tuple(left[place] for place in generator.permutation(len(left)).tolist())
