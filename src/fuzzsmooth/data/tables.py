"""Rows of csv, tsv, JSON-lines and parquet files; what cannot be read is marked, row by row."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import itertools
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.data.wording import shown

JSON_SUFFIXES: Final = (".jsonl", ".ndjson", ".json")
DELIMITERS: Final[Mapping[str, str]] = {".csv": ",", ".tsv": "\t"}
SUFFIXES: Final = (*DELIMITERS, *JSON_SUFFIXES, ".parquet")
"""File endings that :func:`read_table` understands."""


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
    """The rows of a file in order, with the columns it has."""

    source: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path, wanted: Sequence[str]) -> Table:
    """Read a table; its format follows from the file ending.

    Args:
        path: A file ending in one of :data:`SUFFIXES`.
        wanted: Columns that will be used; a parquet file is read only as far as these.

    Raises:
        FuzzsmoothError: If the file is missing, empty, or cannot be read as a whole.
        MissingExtraError: For parquet without pyarrow.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        ending = f"'{path.suffix}'" if path.suffix else "no ending"
        raise FuzzsmoothError(f"{path} has {ending}; known file endings: {', '.join(SUFFIXES)}")
    content = read_bytes(path)
    if suffix == ".parquet":
        return _parquet(content, str(path), wanted)
    return parse_table(content, suffix, str(path))


def parse_table(content: bytes, suffix: str, source: str) -> Table:
    """Parse the bytes of a text format.

    Args:
        content: The whole file.
        suffix: A text format of :data:`SUFFIXES`, such as ".csv".
        source: What to call it in errors.
    """
    lines = decode_lines(content, source)
    if suffix == ".json" and lines.peek() == "[":
        return _json_array(lines)
    return _json_lines(lines) if suffix in JSON_SUFFIXES else _delimited(lines, DELIMITERS[suffix])


def read_bytes(path: Path) -> bytes:
    """The content of a file that must exist and not be empty."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FuzzsmoothError(f"there is no file {path}; check the path") from error
    except IsADirectoryError as error:
        raise FuzzsmoothError(f"{path} is a folder; name a file in it") from error
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}") from error
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise FuzzsmoothError(f"{path} is empty; it needs at least one row")
    return content


class Lines:
    """Decoded lines, line ends kept, that know where bytes were not UTF-8.

    Such bytes stand in the text as the lone surrogates of ``surrogateescape``, so that one bad row does
    not take the file with it.
    """

    def __init__(self, text: str, source: str, start: int) -> None:
        self.source = source
        self.text = text
        # newline="" splits at \n, \r\n and \r only; str.splitlines would also split at U+2028 in a text.
        self.lines = list(io.StringIO(text, newline=""))
        self._clean = not any("\udc80" <= character <= "\udcff" for character in set(text))
        self._offsets: list[int] = []
        if not self._clean:
            sizes = (len(_escaped(line)) for line in self.lines)
            self._offsets = list(itertools.accumulate(sizes, initial=start))

    def peek(self) -> str:
        """The first character that is not white space."""
        return self.text.lstrip()[:1]

    def problem(self, first: int, last: int) -> str:
        """What is wrong with the bytes of lines ``first`` (from 0) to ``last`` (excluded), if anything."""
        raw = "".join(self.lines[first:last])
        if "\0" in raw:
            return "it has a NUL byte; delete the byte or save the file as UTF-8"
        if self._clean:
            return ""
        for position, character in enumerate(raw):
            if "\udc80" <= character <= "\udcff":
                offset = self._offsets[first] + len(_escaped(raw[:position]))
                byte = ord(character) - 0xDC00
                return f"byte 0x{byte:02x} at offset {offset} is not UTF-8; save the file as UTF-8"
        return ""


def decode_lines(content: bytes, source: str) -> Lines:
    """Decode UTF-8, with or without byte order mark.

    Raises:
        FuzzsmoothError: For UTF-16 and UTF-32, recognized by their byte order mark.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FuzzsmoothError(f"{source} is UTF-16 (byte offset 0), not UTF-8; save it as UTF-8")
    start = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    return Lines(content[start:].decode("utf-8", "surrogateescape"), source, start)


def _escaped(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _delimited(lines: Lines, delimiter: str) -> Table:
    with contextlib.closing(_records(lines.lines, delimiter)) as records:
        return _delimited_table(records, lines)


def _delimited_table(records: Iterator[_Record], lines: Lines) -> Table:
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
    rows = [_delimited_row(number, record, columns, lines) for number, record in enumerate(records, 1)]
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
    start = 0
    # The limit belongs to the whole process, so it is put back even if the consumer stops early.
    limit = csv.field_size_limit(max(csv.field_size_limit(), sum(map(len, lines)) + 1))
    try:
        while start < len(lines):
            rest = (lines[index] for index in range(start, len(lines)))
            reader = csv.reader(rest, delimiter=delimiter, strict=True)
            first = start
            try:
                for fields in reader:
                    last = start + reader.line_num
                    if fields:
                        yield _Record(first, last, fields)
                    first = last
                return
            except csv.Error as error:
                hint = "quote the value and write a quote inside it twice"
                yield _Record(first, first + 1, [], f"broken quoting ({error}); {hint}")
                start = first + 1
    finally:
        csv.field_size_limit(limit)


def _delimited_row(number: int, record: _Record, columns: Sequence[str], lines: Lines) -> Row:
    place = f"row {number} (line {record.first + 1})"
    problem = lines.problem(record.first, record.last) or record.problem
    found, expected = len(record.fields), len(columns)
    if not problem and found > expected:
        problem = f"it has {found} values for {expected} columns; quote values that hold the delimiter"
    return Row(number, place, dict(zip(columns, record.fields, strict=False)), problem)


def _json_lines(lines: Lines) -> Table:
    rows = []
    for index, line in enumerate(lines.lines):
        if line.strip():
            problem = lines.problem(index, index + 1)
            rows.append(_json_row(index + 1, line, problem))
    return _json_table(lines.source, rows)


def _json_row(number: int, line: str, problem: str) -> Row:
    place = f"line {number}"
    if problem:
        return Row(number, place, problem=problem)
    try:
        return _object_row(number, place, json.loads(line))
    except json.JSONDecodeError as error:
        return Row(number, place, problem=f"not JSON ({error.msg}, column {error.colno}); mend the line")
    except (ValueError, RecursionError):
        return Row(number, place, problem="JSON with a number too long or nested too deep; mend the line")


def _json_array(lines: Lines) -> Table:
    problem = lines.problem(0, len(lines.lines))
    if problem:
        raise FuzzsmoothError(f"{lines.source}: {problem}")
    try:
        items = json.loads(lines.text)
    except (ValueError, RecursionError) as error:
        raise FuzzsmoothError(f"{lines.source} is not JSON ({error}); mend it or use JSON lines") from error
    return _json_table(lines.source, [_object_row(n, f"row {n}", item) for n, item in enumerate(items, 1)])


def _object_row(number: int, place: str, value: Any) -> Row:
    if isinstance(value, dict):
        return Row(number, place, value)
    problem = f"expected a JSON object with columns as keys, got {type(value).__name__}"
    return Row(number, place, problem=problem)


def _json_table(source: str, rows: list[Row]) -> Table:
    if not rows:
        raise FuzzsmoothError(f"{source} is empty; it needs at least one row")
    columns = dict.fromkeys(name for row in rows for name in row.values)
    return Table(source, tuple(columns), tuple(rows))


def _parquet(content: bytes, source: str, wanted: Sequence[str]) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "data", f"reading {source}") from error
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        columns = tuple(file.schema_arrow.names)
        present = [name for name in wanted if name in columns]
        records = file.read(columns=present).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FuzzsmoothError(
            f"{source} is not a readable parquet file ({reason}); write it again"
        ) from error
    if not records:
        raise FuzzsmoothError(f"{source} has no rows; it needs at least one")
    rows = tuple(Row(number, f"row {number}", record) for number, record in enumerate(records, 1))
    return Table(source, columns, rows)
