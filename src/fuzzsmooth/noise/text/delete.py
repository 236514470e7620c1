"""Deletion: the kernel of the edit-distance certificates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import numpy as np

from fuzzsmooth.noise.text.kernel import require_rate_per_unit
from fuzzsmooth.noise.text.rates import Kept, Rates, kept_mask


@dataclass(frozen=True)
class Deletion:
    """Deletes each unit independently with its rate (RS-Del, arXiv 2302.01757).

    The kept units close up and leave no trace of what stood between them. All units may be deleted: to keep
    at least one, or to draw again, would change the law and with it every certificate.
    """

    @property
    def name(self) -> str:
        """Always "deletion"."""
        return "deletion"

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """The kept units, in order; shape and errors as in :class:`TextKernel`."""
        require_rate_per_unit(units, rates)
        return tuple(compress(units, kept_mask(rates, generator).tolist()))

    def candidates(self, units: tuple[str, ...]) -> tuple[str, ...]:
        """The units themselves."""
        return units

    def selected(self, kept: Kept) -> Kept:
        """What is kept."""
        return kept
