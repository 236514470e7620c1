"""The contract of text noise: one file a kernel, one class, registered; the engine uses all alike."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from itertools import compress
from typing import Any, ClassVar

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.registry import Registry
from fuzzsmooth.noise.text.rates import Kept, Rates, kept_mask


class TextKernel(ABC):
    """A randomization of texts: each unit is hit independently, with its own probability.

    What happens to a unit may not depend on the other units, and a draw is never rejected and repeated:
    the certificates are about this law, for every text, including those of which nothing is left.

    A kernel is a frozen dataclass whose fields are its parameters; the first line of its docstring says what
    it does, in ``fuzzsmooth list``.

    Attributes:
        name: Under which it is registered.
    """

    name: ClassVar[str]

    @abstractmethod
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


class SelectionKernel(TextKernel):
    """A kernel whose every outcome is a selection, in order, from one fixed list of candidates.

    So a text's draws are rows of a bit matrix, and strings or token ids are picked by them. Unless a kernel
    says otherwise, the candidates are the units themselves, and those are selected that are not hit.
    """

    def __call__(
        self, units: tuple[str, ...], rates: Rates, generator: np.random.Generator
    ) -> tuple[str, ...]:
        """See :meth:`TextKernel.__call__`."""
        require_rate_per_unit(units, rates)
        (selected,) = self.selected(kept_mask(rates, generator)[None]).tolist()
        return tuple(compress(self.candidates(units), selected))

    def candidates(self, units: tuple[str, ...]) -> tuple[str, ...]:
        """All units that any outcome may hold, m of them, in order."""
        return units

    def selected(self, kept: Kept) -> Kept:
        """Which candidates make up the outcome of each mask: shape (draws, n) to (draws, m)."""
        return kept


KERNELS: Registry[type[TextKernel]] = Registry("text noise", "fuzzsmooth.noise.text")
"""All kernels by name."""


def text_kernel(name: str, **parameters: Any) -> TextKernel:
    """A kernel by name, as in ``text_kernel("masking", mask="[MASK]")``.

    Args:
        name: Under which it is registered.
        **parameters: The kernel's own: ``mask`` of "masking", ``vocabulary`` of "substitution".

    Raises:
        FuzzsmoothError: If the name is unknown, or a parameter is missing or not the kernel's.
    """
    kernel: Any = KERNELS.get(name)
    wanted = {field.name for field in dataclasses.fields(kernel)}
    if missing := sorted(wanted - parameters.keys()):
        raise FuzzsmoothError(f"text noise '{name}' needs the parameter '{missing[0]}'")
    if unknown := sorted(parameters.keys() - wanted):
        takes = f"it takes {', '.join(sorted(wanted))}" if wanted else "it takes none"
        raise FuzzsmoothError(f"text noise '{name}' has no parameter '{unknown[0]}'; {takes}")
    made: TextKernel = kernel(**parameters)
    return made


def require_rate_per_unit(units: tuple[str, ...], rates: Rates) -> None:
    """Raise :class:`FuzzsmoothError` unless ``rates`` has one entry per unit."""
    require(len(units) == len(rates), f"{len(rates)} rates for {len(units)} units; give one rate per unit")
