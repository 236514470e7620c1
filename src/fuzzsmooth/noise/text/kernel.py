"""What a text-noise kernel is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.text.rates import Kept, Rates


@runtime_checkable
class TextKernel(Protocol):
    """A randomization of texts: each unit is hit independently, with its own probability.

    What happens to a unit may not depend on the other units, and a draw is never rejected and repeated:
    the certificates are about this law, for every text, including those of which nothing is left.
    """

    @property
    def name(self) -> str:
        """The kernel's name in :data:`fuzzsmooth.noise.text.TEXT_KERNELS`."""
        ...

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """One randomized text.

        Args:
            units: The n units of a text.
            rates: Shape (n,), the probability that a unit is hit; rounded to multiples of 2**-32.
            generator: Where the coins come from; the first n 32-bit words decide which units are hit.

        Returns:
            The randomized units; possibly none.

        Raises:
            FuzzsmoothError: If ``rates`` is not one probability per unit.
        """
        ...


@runtime_checkable
class SelectionKernel(TextKernel, Protocol):
    """A kernel whose every outcome is a selection, in order, from one fixed list of candidates.

    So a text's draws are rows of a bit matrix, and strings or token ids are picked by them.
    """

    def candidates(self, units: tuple[str, ...]) -> tuple[str, ...]:
        """All units that any outcome may hold, m of them, in order."""
        ...

    def selected(self, kept: Kept) -> Kept:
        """Which candidates make up the outcome of each mask: shape (draws, n) to (draws, m)."""
        ...


def require_rate_per_unit(units: tuple[str, ...], rates: Rates) -> None:
    """Raise :class:`FuzzsmoothError` unless ``rates`` has one entry per unit."""
    require(len(units) == len(rates), f"{len(rates)} rates for {len(units)} units; give one rate per unit")
