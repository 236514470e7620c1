"""What the certificates of many texts mean together, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.jobs.answering import Record

if TYPE_CHECKING:
    from fuzzsmooth.certify import Certificate, DatasetStatement, DatasetTally
    from fuzzsmooth.data import TextInput

_SIZES: tuple[float, ...] = (0, 1, 2, 3, 4, 5, 10, 20)
_FINE_SIZES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0, 2.0)
_FINE = ("cost", "standard deviation")  # units that are no whole numbers


class Statements:
    """Says for every threat how many texts are certified, and how sure that number is.

    Args:
        texts: The texts, with labels where they are known.
        labels: The class names.
    """

    def __init__(self, texts: TextInput, labels: Sequence[str]) -> None:
        self._targets: list[int | None] | None = None
        self._problem = ""
        self._notes: tuple[str, ...] = ()
        try:
            classes = texts.classes(labels)
            self._notes = () if classes is None else classes.notes
            self._targets = texts.targets(labels)
        except FuzzsmoothError as error:
            self._problem = str(error)
        self._tallies: list[DatasetTally] = []  # one per certificate of a text
        self._scales: list[tuple[float, ...]] = []  # the sizes of each
        self._seen = 0

    def add(self, record: Record) -> None:
        """Count the certificates of the next text."""
        from fuzzsmooth.certify import DatasetTally

        certificates = _certificates(record)
        if not self._tallies:
            known = self._targets is not None
            self._scales = [_FINE_SIZES if one.unit in _FINE else _SIZES for one in certificates]
            self._tallies = [DatasetTally(sizes, labels_known=known) for sizes in self._scales]
        target = None if self._targets is None else self._targets[self._seen]
        self._seen += 1
        require(len(certificates) == len(self._tallies), _changed(record))
        for tally, certificate in zip(self._tallies, certificates, strict=True):
            tally.add(certificate, target)

    def notes(self) -> list[str]:
        """What was assumed about labels, and why correctness is not counted where it is not."""
        problem = [f"correctness is not counted: {self._problem}"] if self._problem else []
        return [*self._notes, *problem]

    def groups(self) -> list[list[DatasetStatement]]:
        """After all texts: for each certificate, the statements at all sizes that some text reaches."""
        return [
            [one for one in tally.statements() if one.size <= max(0, tally.largest)]
            for tally in self._tallies
        ]

    def scales(self) -> list[list[list[DatasetStatement]]]:
        """The groups by their scale of sizes: whole numbers, and those that may be fractions."""
        pairs = list(zip(self.groups(), self._scales, strict=True))
        return [[group for group, sizes in pairs if sizes is scale] for scale in (_SIZES, _FINE_SIZES)]


def _certificates(record: Record) -> list[Certificate]:
    from fuzzsmooth.certify import Certificate

    rows = record.get("certificates")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise FuzzsmoothError(_changed(record))
    return [
        Certificate.from_mapping({name: value for name, value in row.items() if name != "statement"})
        for row in rows
    ]


def _changed(record: Record) -> str:
    return (
        f"the kept answer to row {record['row']} lacks certificates: it was changed since it was written; "
        "delete its line, or give another --output"
    )
