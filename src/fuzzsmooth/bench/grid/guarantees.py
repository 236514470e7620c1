"""Certificates held against every attack of a grid, text by text: within the radius the answer stays.

For each clean text and its triggered form, the size of the change is measured in the units of each threat;
where a certificate covers it, the answer to the other text must not be another label. An abstention is no
other label: the majority answer is what is certified, and it may stay without being certified again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from fuzzsmooth.bench.grid.changes import DISTANCES
from fuzzsmooth.bench.grid.measured import Measured
from fuzzsmooth.bench.records import CLEAN, CONDITIONAL_PREFIX, TextRecord, is_backward, is_conditional
from fuzzsmooth.certify import BACKWARD
from fuzzsmooth.text import segmenter

_UNITS = ("word", "character")


@dataclass(frozen=True)
class Check:
    """The certificates of one threat of a row.

    Attributes:
        threat: The threat, as records name it.
        kept: Pairs within the radius with the certified label for an answer.
        abstained: Pairs within it without an answer.
        violated: Pairs within it with another label.
        beyond: Pairs whose change is larger than the radius.
        another: Pairs whose change is not of the threat.
    """

    threat: str
    kept: int
    abstained: int
    violated: int
    beyond: int
    another: int

    @property
    def checked(self) -> int:
        """Pairs within the radius."""
        return self.kept + self.abstained + self.violated


def can_check(measured: Measured) -> bool:
    """Whether the units of a row can be counted without its model."""
    return measured.fact.get("unit") in _UNITS


def checks(measured: Measured) -> list[Check]:
    """Hold the certificates of a row against its triggered texts.

    Radii from a clean text are looked up in the clean text's record, those from a received text in the
    triggered one's. Threats that are no numbers of units, such as costs, are left out.
    """
    unit: Any = measured.fact["unit"]
    cut = segmenter(unit)

    @cache
    def units(text: str) -> tuple[str, ...]:
        return cut.segment(text).units

    found: dict[str, Counter[str]] = {}
    for clean, triggered in _pairs(measured):
        before, after = units(clean.text), units(triggered.text)
        for threat, certified, other in (
            *((name, clean, triggered) for name in clean.radii if not is_backward(name)),
            *((name, triggered, clean) for name in triggered.radii if is_backward(name)),
        ):
            # Whichever of the two is certified, the original was changed into the received text.
            distance = DISTANCES.get(_plain(threat))
            if distance is not None:
                size = distance(before, after)
                counts = found.setdefault(threat, Counter())
                counts[_verdict(certified, other, size, certified.radii[threat])] += 1
    kinds = ("kept", "abstained", "violated", "beyond", "another")
    return [Check(threat, **{kind: counts[kind] for kind in kinds}) for threat, counts in found.items()]


def _verdict(certified: TextRecord, other: TextRecord, size: int | None, radius: int) -> str:
    if size is None:
        return "another"
    if size > radius:
        return "beyond"
    if other.prediction is None:
        return "abstained"
    return "kept" if other.prediction == certified.prediction else "violated"


def _pairs(measured: Measured) -> Iterator[tuple[TextRecord, TextRecord]]:
    """Clean and triggered records of the same text and seed."""
    clean = {(one.seed, one.index): one for one in measured.records if one.split == CLEAN}
    for record in measured.records:
        if record.split != CLEAN and (record.seed, record.index) in clean:
            yield clean[record.seed, record.index], record


def _plain(threat: str) -> str:
    """What was done to the original text, as threats are called."""
    kind = threat.removeprefix(f"{CONDITIONAL_PREFIX}-") if is_conditional(threat) else threat
    return "insert" if kind == BACKWARD else kind.removeprefix(f"{BACKWARD}-")
