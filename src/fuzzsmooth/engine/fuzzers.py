"""Fuzzing as post-processing of deleted texts (Theorem 3): what mode "certified" does after deletion.

A fuzzer receives the units that deletion has left and a generator, and nothing else: not the text, its
length, its identity or its other draws. Whatever it does is then part of the base classifier, and the radii
of uniform deletion hold unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from fuzzsmooth.search.flip_rates import FlipRates
from fuzzsmooth.search.scan import Scanner

Units = tuple[str, ...]


class Fuzzer(Protocol):
    """Fuzzes deleted texts, each on its own."""

    def __call__(self, texts: Sequence[Units], sources: Sequence[np.random.Generator]) -> list[Units]:
        """The fuzzed units of each deleted text.

        Args:
            texts: What deletion has left of each text.
            sources: A fresh generator for each.
        """
        ...


class TypeFuzzer:
    """Removes the unit types that carry a prediction into clean texts by themselves; draws nothing.

    Args:
        table: Flip rates per type, on references fixed beforehand.
    """

    def __init__(self, table: FlipRates) -> None:
        self._table = table

    def flagged(self, types: Iterable[str]) -> set[str]:
        """The types that are removed wherever they are left; a function of each type alone."""
        return self._table.flagged(types)

    def __call__(self, texts: Sequence[Units], sources: Sequence[np.random.Generator]) -> list[Units]:
        """See :class:`Fuzzer`."""
        del sources
        flagged = self.flagged(unit for units in texts for unit in units)
        return [tuple(unit for unit in units if unit not in flagged) for units in texts]


class SearchFuzzer:
    """Searches each deleted text and removes what is flagged.

    Args:
        scanner: The search; it starts anew for each deleted text.
    """

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner

    def __call__(self, texts: Sequence[Units], sources: Sequence[np.random.Generator]) -> list[Units]:
        """See :class:`Fuzzer`."""
        found = self._scanner.find(texts, sources)
        areas = [{index for area in result.areas for index in area.indices} for result in found]
        return [
            tuple(unit for index, unit in enumerate(units) if index not in area)
            for units, area in zip(texts, areas, strict=True)
        ]
