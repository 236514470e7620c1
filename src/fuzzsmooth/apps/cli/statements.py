"""What the certificates of many texts mean together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fuzzsmooth.apps.cli.answers import Record
from fuzzsmooth.apps.cli.console import Page, answers, note, write_json
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require

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

    def show(self, *, json: bool) -> None:
        """Say it, after all texts.

        Args:
            json: Write one JSON line ``{"dataset": [...]}`` with all sizes that some text reaches; otherwise
                a sentence per threat, and a table of the shares by size.
        """
        for sentence in self._notes:
            note(sentence)
        if self._problem:
            note(f"correctness is not counted: {self._problem}")
        statements = [
            [one for one in tally.statements() if one.size <= max(0, tally.largest)]
            for tally in self._tallies
        ]
        if json:
            write_json({"dataset": [one.to_mapping() for group in statements for one in group]})
            return
        page = answers()
        for sentence in dict.fromkeys(_telling(group).statement() for group in statements):
            page.line(sentence, "bold")
        for scale in (_SIZES, _FINE_SIZES):
            pairs = zip(statements, self._scales, strict=True)
            _show_shares(page, [group for group, sizes in pairs if sizes is scale])


def _show_shares(page: Page, groups: Sequence[Sequence[DatasetStatement]]) -> None:
    """A table of the certified share by size, for threats of one scale; none where all stop at size 0."""
    sizes = sorted({one.size for group in groups for one in group})
    if len(sizes) < 2:
        return
    counted = "correct and certified" if groups[0][0].labels_known else "certified"
    columns = [("threat", True), ("guarantee", True), *((f"{size:g}", False) for size in sizes)]
    rows = dict.fromkeys(tuple(_shares(group, sizes)) for group in groups)
    page.line(f"{counted}, in % of {groups[0][0].texts} texts, by size of the threat:")
    page.table(columns, [(row, "") for row in rows])


def _shares(group: Sequence[DatasetStatement], sizes: Sequence[float]) -> list[str]:
    shares = {one.size: f"{100 * one.share:.1f}" for one in group}
    first = group[0]
    threat = f"{first.threat} ({first.direction})" if first.direction else first.threat
    # Beyond the largest radius nothing is certified.
    return [threat, first.guarantee, *(shares.get(size, "0.0") for size in sizes)]


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


def _telling(group: Sequence[DatasetStatement]) -> DatasetStatement:
    """The statement at the smallest size above 0, which is what a certificate is for."""
    return group[min(1, len(group) - 1)]
