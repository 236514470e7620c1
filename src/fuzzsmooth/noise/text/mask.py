"""Masking: units are replaced by one mask, their positions stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.text.kernel import require_rate_per_unit
from fuzzsmooth.noise.text.rates import Kept, Rates, kept_mask


@dataclass(frozen=True)
class Masking:
    """Replaces each unit by the mask independently with its rate (after RanMASK, arXiv 2105.03743).

    RanMASK masks a fixed number of units, we throw independent coins. The length of the text stays visible,
    so that substitutions only can be certified.

    Args:
        mask: The unit that stands for a masked one, such as the model's "[MASK]".

    Raises:
        FuzzsmoothError: If the mask is empty.
    """

    mask: str

    def __post_init__(self) -> None:
        require(self.mask != "", "the mask is empty, which would be a deletion; give the model's mask token")

    @property
    def name(self) -> str:
        """Always "masking"."""
        return "masking"

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """As many units as before, some masked; shape and errors as in :class:`TextKernel`."""
        require_rate_per_unit(units, rates)
        kept = kept_mask(rates, generator).tolist()
        return tuple(unit if keep else self.mask for unit, keep in zip(units, kept, strict=True))

    def candidates(self, units: tuple[str, ...]) -> tuple[str, ...]:
        """Each unit followed by the mask that may take its place, 2 n in all."""
        return tuple(either for unit in units for either in (unit, self.mask))

    def selected(self, kept: Kept) -> Kept:
        """The unit where it is kept, its mask elsewhere; shape (draws, 2 n)."""
        return np.stack([kept, ~kept], axis=2).reshape(len(kept), 2 * kept.shape[1])
