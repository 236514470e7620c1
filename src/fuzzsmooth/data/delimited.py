"""Tables of values with a delimiter between them: csv and tsv."""

from __future__ import annotations

import contextlib
import csv
import functools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.lines import Lines
from fuzzsmooth.data.records import Row, Table
from fuzzsmooth.data.wording import shown


def delimited_table(lines: Lines, delimiter: str) -> Table:
    """Parse a table; its first record names the columns.

    A line whose quoting is broken, or whose quote is not closed before other rows, is a bad row; the next
    line begins a new one.

    Args:
        lines: The file.
        delimiter: One character.

    Raises:
        FuzzsmoothError: If the header is missing or bad, or there are no rows.
    """
    with contextlib.closing(_records(lines.lines, delimiter)) as records:
        return _table(records, lines)


def _table(records: Iterator[_Record], lines: Lines) -> Table:
    header = next(records, None)
    if header is None:
        raise FuzzsmoothError(f"{lines.source} is empty; it needs a header and at least one row")
    problem = header.problem or lines.problem(header.first, header.last)
    if problem:
        raise FuzzsmoothError(f"{lines.source}, line {header.first + 1} (the header): {problem}")
    columns = tuple(name.strip() for name in header.fields)
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise FuzzsmoothError(f"{lines.source} has two columns {shown(twice)}; rename one in the header")
    rows = [_row(number, record, columns, lines) for number, record in enumerate(records, 1)]
    if not rows:
        raise FuzzsmoothError(f"{lines.source} has a header but no rows; it needs at least one row")
    return Table(lines.source, columns, tuple(rows))


@dataclass(frozen=True)
class _Record:
    """Fields of lines ``first`` to ``last`` (excluded), or why they cannot be told apart."""

    first: int
    last: int
    fields: list[str]
    problem: str = ""


def _records(lines: Sequence[str], delimiter: str) -> Generator[_Record, None, None]:
    """Parse strictly; after broken quoting go on with the next line, so that one quote costs one row."""
    start, typical = 0, _TypicalRows(lines, delimiter)
    # The limit belongs to the whole process, so it is put back even if the consumer stops early.
    limit = csv.field_size_limit(max(csv.field_size_limit(), sum(map(len, lines)) + 1))
    try:
        while start < len(lines):
            bad = yield from _records_until_bad(lines, delimiter, start, typical)
            if bad is None:
                return
            yield bad
            start = bad.last
    finally:
        csv.field_size_limit(limit)


def _records_until_bad(
    lines: Sequence[str], delimiter: str, start: int, typical: _TypicalRows
) -> Generator[_Record, None, _Record | None]:
    """Records from line ``start`` on; returns the first bad line, or ``None`` at the end of the file."""
    rest = (lines[index] for index in range(start, len(lines)))
    reader = csv.reader(rest, delimiter=delimiter, strict=True)
    first = start
    try:
        for fields in reader:
            last = start + reader.line_num
            if last - first > 1 and typical.are_in(first, last):
                reason = f"the quote that opens here is closed only in line {last}, after other rows"
                return _broken(first, reason)
            if fields:
                yield _Record(first, last, fields)
            first = last
        return None
    except csv.Error as error:
        unclosed = str(error) == "unexpected end of data"
        return _broken(first, "the quote that opens here is not closed" if unclosed else str(error))


def _broken(line: int, reason: str) -> _Record:
    hint = "quote the value and write a quote inside it twice"
    return _Record(line, line + 1, [], f"broken quoting ({reason}); {hint}")


class _TypicalRows:
    """Tells rows that a quote left open has swallowed from a value of several lines.

    Args:
        lines: The file, the header first.
        delimiter: One character.
    """

    def __init__(self, lines: Sequence[str], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._width = len(self._split(lines[0])) if lines else 0

    def are_in(self, first: int, last: int) -> bool:
        """Whether every line of a record looks like a row of its own.

        It does if it has as many values as there are columns, and some column has only values that rows of a
        single line have there too, as labels do.
        """
        lines = [line for line in self._lines[first:last] if line.strip()]
        # Counted first, as nearly all records of several lines end here.
        if self._width < 2 or any(line.count(self._delimiter) + 1 != self._width for line in lines):
            return False
        columns = zip(*map(self._split, lines), strict=True)
        return any(set(column) <= known for column, known in zip(columns, self._values, strict=True))

    @functools.cached_property
    def _values(self) -> list[set[str]]:
        """The values of each column in the lines whose quotes are in pairs."""
        whole = (self._split(line) for line in self._lines[1:] if line.count('"') % 2 == 0)
        columns = list(zip(*(row for row in whole if len(row) == self._width), strict=True))
        return [set(column) for column in columns] or [set() for _ in range(self._width)]

    def _split(self, line: str) -> list[str]:
        return [value.strip().strip('"') for value in line.split(self._delimiter)]


def _row(number: int, record: _Record, columns: Sequence[str], lines: Lines) -> Row:
    place = f"row {number} (line {record.first + 1})"
    problem = lines.problem(record.first, record.last) or record.problem
    found, expected = len(record.fields), len(columns)
    if not problem and found > expected:
        problem = f"it has {found} values for {expected} columns; quote values that hold the delimiter"
    return Row(number, place, dict(zip(columns, record.fields, strict=False)), problem)
