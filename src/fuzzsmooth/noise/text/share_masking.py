"""Masking of a fixed share: the kernel of RanMASK (arXiv 2105.03743)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.text.kernel import KERNELS, Rates, TextKernel


@KERNELS.register("share-masking")
@dataclass(frozen=True)
class ShareMasking(TextKernel):
    """Masks a fixed number of the units, every choice of them being equally likely; positions stay.

    The rates of the units are not read: how many are masked depends on the length alone.

    Args:
        share: Share of the units that is masked, in (0, 1); rounded, but one unit at least is kept.
        mask: What stands for a masked unit.
    """

    share: float
    mask: str

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """As many units as before, all but :func:`kept_units` of them masked."""
        del rates
        kept = kept_units(len(units), self.share)
        chosen = set(generator.choice(len(units), size=kept, replace=False).tolist()) if units else set()
        return tuple(unit if place in chosen else self.mask for place, unit in enumerate(units))


def kept_units(length: int, share: float) -> int:
    """How many of ``length`` units RanMASK leaves: the rounded share, but at least one.

    Args:
        length: Units of the text, >= 0.
        share: Share that is masked, in (0, 1).
    """
    require(0 < share < 1, f"the masking rate must lie strictly between 0 and 1, got {share}")
    return min(length, max(1, length - round(share * length)))
