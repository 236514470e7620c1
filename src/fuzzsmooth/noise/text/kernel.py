"""The contract of text noise: one file a kernel, one class, registered; and the coins that kernels throw.

A coin is a uniform 32-bit integer compared with an integer threshold, so the probability of an event is
exactly threshold / 2**32: a certificate computed at that rate carries no floating-point caveat.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import compress
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import draw_words
from fuzzsmooth.common.registry import Registry

Rates = npt.NDArray[np.float64]
"""Shape (n,), one probability in [0, 1] per unit."""
Kept = npt.NDArray[np.bool_]
"""Shape (n,) or (draws, n); true where a unit is left as it is."""

COIN_VALUES = 2**32
"""A coin is uniform on 0, ..., COIN_VALUES - 1."""


class TextKernel(ABC):
    """A randomization of texts; unless it says otherwise, units are hit independently, each at its own rate.

    A draw is never rejected and repeated: the certificates are about the law that a kernel states, for every
    text, including those of which nothing is left.

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
"""All kernels by name; entry points of the group ``fuzzsmooth.noise.text`` add those of other packages."""


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


def coin_threshold(rate: float) -> int:
    """The integer threshold of a rate: the multiple of 2**-32 nearest to it, ties to even.

    Args:
        rate: A probability.

    Returns:
        In [0, 2**32]; rate 1.0 gives 2**32, above every coin.

    Raises:
        FuzzsmoothError: If the rate is not in [0, 1].
    """
    require(0.0 <= rate <= 1.0, f"rate {rate!r} is not a probability; give a number from 0 to 1")
    return round(math.ldexp(rate, 32))


def represented(rate: float) -> float:
    """The rate that is really used, ``coin_threshold(rate) / 2**32``, within 2**-33 of ``rate``.

    It is an exact float and its own representation; certificates are computed with it.

    >>> represented(0.5), represented(0.9) == 0.9, represented(represented(0.9)) == represented(0.9)
    (0.5, False, True)
    """
    return coin_threshold(rate) / COIN_VALUES


def uniform_rates(n: int, rate: float) -> Rates:
    """The same rate for n units, as represented; shape (n,)."""
    return np.full(n, represented(rate), dtype=np.float64)


def area_rates(n: int, area: Iterable[int], high: float, low: float) -> Rates:
    """Rates of fuzzed text randomization: omega_H in the vulnerable area, omega_L elsewhere.

    FRS (arXiv 2502.06892), Eq. 11. These rates depend on the text they are applied to, so that no
    unconditional certificate holds for them.

    Args:
        n: Number of units.
        area: Indices of the units in the vulnerable area T(x'), each in [0, n); repetitions are allowed.
        high: omega_H, the rate inside the area.
        low: omega_L, the rate outside, at most ``high``.

    Returns:
        Shape (n,), as represented.

    Raises:
        FuzzsmoothError: If a rate is not a probability, ``low`` exceeds ``high`` or an index is out of range.
    """
    require(low <= high, f"the rate outside the vulnerable area, {low}, exceeds the rate inside, {high}")
    rates = uniform_rates(n, low)
    inside = np.fromiter(area, dtype=np.int64)
    if inside.size and not (inside.min() >= 0 and inside.max() < n):
        raise FuzzsmoothError(f"a vulnerable unit lies outside the text of {n} units: {inside.tolist()}")
    rates[inside] = represented(high)
    return rates


def kept_mask(rates: Rates, generator: np.random.Generator) -> Kept:
    """One independent coin per unit: false with probability ``represented(rates[i])``.

    Takes n 32-bit words from the generator whatever the rates are.

    Args:
        rates: Shape (n,), each in [0, 1].
        generator: Where the coins come from.

    Returns:
        Shape (n,), true where the unit is kept.

    Raises:
        FuzzsmoothError: If a rate is not a probability.
    """
    return draw_masks(rates, 1, generator).reshape(-1)


def draw_masks(rates: Rates, draws: int, generator: np.random.Generator) -> Kept:
    """Many independent masks at once: exactly the rows ``draws`` calls of :func:`kept_mask` would give.

    So the first rows do not depend on how many are drawn, nor on how they are split over calls.

    Returns:
        Shape (draws, n), true where the unit is kept.

    Raises:
        FuzzsmoothError: If a rate is not a probability or ``draws`` is negative.
    """
    require(draws >= 0, f"cannot draw {draws} masks; give a number of draws from 0 on")
    thresholds = _thresholds(rates)
    coins = generator.integers(0, COIN_VALUES, size=(draws, len(thresholds)), dtype=np.uint32)
    return coins >= thresholds  # integers of 32 and 64 bits, compared exactly


def addressed_masks(rates: Rates, draws: range, *, seed: int, purpose: str, key: int) -> Kept:
    """The masks of consecutive draws of one text, at its address.

    The law is that of :func:`draw_masks`; mask k is a function of (seed, purpose, key, k) and the rates
    alone, whichever draws are asked for together.

    Args:
        rates: Shape (n,), each in [0, 1].
        draws: Consecutive draw indices, each >= 0.
        seed: The user's seed.
        purpose: Separates the draws of predictions from those of certificates.
        key: 64-bit key of the text.

    Returns:
        Shape (len(draws), n), true where the unit is kept.

    Raises:
        FuzzsmoothError: If a rate is not a probability or the address is out of range.
    """
    thresholds = _thresholds(rates)
    return draw_words(seed, purpose, key, draws=draws, width=len(thresholds)) >= thresholds


def _thresholds(rates: Rates) -> npt.NDArray[np.uint64]:
    """:func:`coin_threshold` of each rate, in one go; scaling by a power of two and rint are exact."""
    rates = np.asarray(rates, dtype=np.float64)
    require(rates.ndim == 1, f"rates have shape {rates.shape}; give one rate per unit, shape (n,)")
    outside = ~((rates >= 0.0) & (rates <= 1.0))
    if outside.any():
        raise FuzzsmoothError(
            f"rate {rates[outside][0]} of unit {int(np.argmax(outside))} is not a probability from 0 to 1"
        )
    return np.rint(np.ldexp(rates, 32)).astype(np.uint64)
