"""Masking: units are replaced by one mask, their positions stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.text.kernel import KERNELS, Kept, SelectionKernel


@KERNELS.register("masking")
@dataclass(frozen=True)
class Masking(SelectionKernel):
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

    def candidates(self, units: tuple[str, ...]) -> tuple[str, ...]:
        """Each unit followed by the mask that may take its place, 2 n in all."""
        return tuple(either for unit in units for either in (unit, self.mask))

    def selected(self, kept: Kept) -> Kept:
        """The unit where it is kept, its mask elsewhere; shape (draws, 2 n)."""
        return np.stack([kept, ~kept], axis=2).reshape(len(kept), 2 * kept.shape[1])
