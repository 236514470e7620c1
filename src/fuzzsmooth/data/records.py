"""The rows of a file as read, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One record of a file.

    Attributes:
        number: Counted from 1, header not included; in JSON-lines files it is the line number.
        place: The same for people: "row 7 (line 9)".
        values: Column name to value.
        problem: Why the row cannot be read and how to mend it; empty if it can.
    """

    number: int
    place: str
    values: Mapping[str, object] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of a file in order, with the columns it has.

    Attributes:
        source: The file, as sentences name it.
        columns: Its columns.
        rows: Its rows.
        declared: Class names of the columns that declare some; their values are indices into these.
    """

    source: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
