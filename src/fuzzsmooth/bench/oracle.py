"""Ablations of the search of FRS that only the bench can run: the true trigger, and a place drawn at random.

What is between these two is what the search is worth. Nobody who defends knows the trigger, so neither is a
defense that can be named anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from fuzzsmooth.bench.measure import EvaluatedText
from fuzzsmooth.bench.records import TRIGGERED
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.defenses import Needs
from fuzzsmooth.defenses.frs import Frs
from fuzzsmooth.search.scan import Scan, Span
from fuzzsmooth.text.units import Segmentation

_UNKNOWN = -1  # the label of a text that was not asked about


class OracleFrs(Frs):
    """FRS that is told where the trigger stands, in place of a search."""

    name = "frs-oracle"
    needs = Needs(training=True)
    _told: Mapping[str, tuple[tuple[int, int], ...]] = MappingProxyType({})

    def tell(self, texts: Iterable[EvaluatedText]) -> None:
        """Tell where the trigger stands in each text that will be asked about.

        A triggered text without spans is a trigger as a whole, as with a style. Of equal texts with several
        triggers all are told.
        """
        told: dict[str, tuple[tuple[int, int], ...]] = {}
        for one in texts:
            whole = ((0, len(one.text)),) if one.split == TRIGGERED and one.text else ()
            told[one.text] = (*told.get(one.text, ()), *(one.trigger or whole))
        self._told = told

    def scans(self, texts: Sequence[str]) -> Sequence[Scan | None]:
        """The true triggers.

        Raises:
            FuzzsmoothError: If nothing was told about a text.
        """
        told = self._told
        unknown = next((text for text in texts if text not in told), None)
        if unknown is not None:
            raise FuzzsmoothError(f"nobody has told '{self.name}' where the trigger of {unknown!r} stands")
        return [_inside(self.segmenter.segment(text), told[text]) for text in texts]


class RandomFrs(Frs):
    """FRS with the area moved: one stretch at random of as many units as its search has flagged."""

    name = "frs-random"

    def scans(self, texts: Sequence[str]) -> Sequence[Scan | None]:
        """The searches, each with its area moved."""
        return [self._moved(text, scan) for text, scan in zip(texts, super().scans(texts), strict=True)]

    def _moved(self, text: str, scan: Scan | None) -> Scan | None:
        if scan is None or not scan.units:
            return scan
        cut, size = self.segmenter.segment(text), len(scan.units)
        source = generator(self.options.seed, "random area", text_key(text))
        start = int(source.integers(len(cut) - size + 1))
        return _flagged(cut, range(start, start + size), scan.label, scan.evaluations)


def _inside(cut: Segmentation, spans: Sequence[tuple[int, int]]) -> Scan:
    """The units that a trigger's characters lie in."""
    inside = [
        index
        for index, (start, end) in enumerate(cut.spans)
        if any(start < last and first < end for first, last in spans)
    ]
    return _flagged(cut, inside, _UNKNOWN, 0)


def _flagged(cut: Segmentation, units: Sequence[int], label: int, evaluations: int) -> Scan:
    spans = [cut.spans[index] for index in units]
    return Scan(
        label,
        tuple(Span(start, end, cut.text[start:end], 1.0) for start, end in spans),
        tuple(units),
        evaluations,
        complete=True,
    )
