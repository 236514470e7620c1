"""What the certificates of many texts mean together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fuzzsmooth.apps.cli.answers import Record
from fuzzsmooth.apps.cli.console import answers, note, printable, write_json
from fuzzsmooth.common.errors import FuzzsmoothError

if TYPE_CHECKING:
    from fuzzsmooth.certify import Certificate, DatasetStatement
    from fuzzsmooth.data import TextInput

_SIZES = (0, 1, 2, 3, 4, 5, 10, 20)
_FINE_SIZES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0, 2.0)  # costs and standard deviations


def show_statements(
    records: Sequence[Record], texts: TextInput, labels: Sequence[str], *, json: bool
) -> None:
    """Say for every threat how many texts are certified, and how sure that number is.

    Args:
        records: The answers to all texts, with their certificates.
        texts: The texts, with labels where they are known.
        labels: The class names.
        json: Write one JSON line ``{"dataset": [...]}`` with all sizes; otherwise a sentence per threat.
    """
    targets = _targets(texts, labels)
    kinds = list(zip(*(_certificates(record) for record in records), strict=True))
    statements = [_statements(kind, targets) for kind in kinds]
    if json:
        write_json({"dataset": [one.to_mapping() for group in statements for one in group]})
        return
    console = answers()
    for sentence in dict.fromkeys(_telling(group).statement() for group in statements):
        console.print(printable(sentence), style="bold")


def _targets(texts: TextInput, labels: Sequence[str]) -> list[int | None] | None:
    try:
        return texts.targets(labels)
    except FuzzsmoothError as error:
        note(f"correctness is not counted: {error}")
        return None


def _certificates(record: Record) -> list[Certificate]:
    from fuzzsmooth.certify import Certificate

    return [
        Certificate.from_mapping({name: value for name, value in row.items() if name != "statement"})
        for row in record["certificates"]
    ]


def _statements(
    certificates: Sequence[Certificate], targets: Sequence[int | None] | None
) -> list[DatasetStatement]:
    """One statement per size that some text reaches."""
    from fuzzsmooth.certify import dataset_statement

    largest = max(one.radius for one in certificates)
    whole = certificates[0].unit not in ("cost", "standard deviation")
    sizes = [size for size in (_SIZES if whole else _FINE_SIZES) if size <= max(0, largest)]
    return [dataset_statement(certificates, targets, size) for size in sizes]


def _telling(group: Sequence[DatasetStatement]) -> DatasetStatement:
    """The statement at the smallest size above 0, which is what a certificate is for."""
    return group[min(1, len(group) - 1)]
