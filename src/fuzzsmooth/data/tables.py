"""Rows of csv, tsv, JSON, parquet and Arrow files; what cannot be read is marked, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.columnar import columnar_table
from fuzzsmooth.data.delimited import delimited_table
from fuzzsmooth.data.json_rows import json_table
from fuzzsmooth.data.lines import decode_lines, read_bytes
from fuzzsmooth.data.records import Table

JSON_SUFFIXES: Final = (".jsonl", ".ndjson", ".json")
COLUMNAR_SUFFIXES: Final = (".parquet", ".arrow")
DELIMITERS: Final[Mapping[str, str]] = {".csv": ",", ".tsv": "\t"}
SUFFIXES: Final = (*DELIMITERS, *JSON_SUFFIXES, *COLUMNAR_SUFFIXES)
"""File endings that :func:`read_table` understands."""


def read_table(path: Path, wanted: Sequence[str]) -> Table:
    """Read a table; its format follows from the file ending.

    Args:
        path: A file ending in one of :data:`SUFFIXES`.
        wanted: Columns that will be used; parquet and Arrow files are read only as far as these.

    Raises:
        FuzzsmoothError: If the file is missing, empty, or cannot be read as a whole.
        MissingExtraError: For parquet and Arrow without pyarrow.
    """
    check_suffix(path.suffix, str(path))
    return any_table(read_bytes(path), path.suffix.lower(), str(path), wanted)


def check_suffix(suffix: str, source: str) -> None:
    """Refuse a file ending that is not known.

    Raises:
        FuzzsmoothError: If it is none of :data:`SUFFIXES`.
    """
    if suffix.lower() not in SUFFIXES:
        ending = f"'{suffix}'" if suffix else "no ending"
        raise FuzzsmoothError(f"{source} has {ending}; known file endings: {', '.join(SUFFIXES)}")


def any_table(content: bytes, suffix: str, source: str, wanted: Sequence[str]) -> Table:
    """Parse the bytes of a file.

    Args:
        content: The whole file.
        suffix: One of :data:`SUFFIXES`.
        source: What to call it in errors.
        wanted: As in :func:`read_table`.
    """
    if suffix in COLUMNAR_SUFFIXES:
        return columnar_table(content, suffix, source, wanted)
    return parse_table(content, suffix, source)


def parse_table(content: bytes, suffix: str, source: str) -> Table:
    """Parse the bytes of a text format.

    Args:
        content: The whole file.
        suffix: A text format of :data:`SUFFIXES`, such as ".csv".
        source: What to call it in errors.
    """
    lines = decode_lines(content, source)
    if suffix in JSON_SUFFIXES:
        return json_table(lines, array=suffix == ".json")
    return delimited_table(lines, DELIMITERS[suffix])
