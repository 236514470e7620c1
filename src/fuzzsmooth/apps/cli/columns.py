"""Answers as a Parquet file, for what reads tables: every field of a record, nested ones as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.files import way_out
from fuzzsmooth.jobs.answering import Record

_ROWS = 10_000  # of a group, which is in memory at once
_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("row", "label", "undecided", "unsure", "passes", "evaluations", "copies"), "int64"),
    **dict.fromkeys(("score", "error", "share"), "float64"),
    **dict.fromkeys(("truncated", "complete"), "bool"),
}
"""Of the fields that are no words."""


def check_parquet() -> None:
    """Refuse Parquet before anything is computed for it where it cannot be written.

    Raises:
        MissingExtraError: Without pyarrow.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pyarrow", "data", "--format parquet") from error


def write_parquet(path: Path, records: Iterable[Record]) -> None:
    """Write one row per answer: to a temporary file beside it, which then takes its place.

    Args:
        path: The file.
        records: The answers; all have the fields of the first one.

    Raises:
        FuzzsmoothError: If it cannot be written; an old file then stays as it was.
        MissingExtraError: Without pyarrow.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    half = path.with_name(f".{path.name}.part")
    left = iter(records)
    group = list(islice(left, _ROWS))
    names = list(group[0]) if group else []
    # The votes of a classifier are a list, those of a language model that writes a number.
    counted = {"votes": "int64"} if group and isinstance(group[0].get("votes"), int) else {}
    types = {**_TYPES, **counted}
    schema = pa.schema([(name, pa.type_for_alias(types.get(name, "string"))) for name in names])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(half, schema) as writer:
            while group:
                rows = [
                    {name: _cell(record.get(name), plain=name in types) for name in names} for record in group
                ]
                writer.write_table(pa.Table.from_pylist(rows, schema))
                group = list(islice(left, _ROWS))
        half.replace(path)
    except OSError as error:
        raise FuzzsmoothError(f"cannot write {path}: {error.strerror}; {way_out(error)}") from error
    finally:
        with suppress(OSError):
            half.unlink()


def _cell(value: Any, *, plain: bool) -> Any:
    if value is None or plain:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
