"""Parquet and Arrow files, as pandas and `datasets` write them, with the class names that these declare."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import parse_json
from fuzzsmooth.data.records import Row, Table
from fuzzsmooth.data.wording import shown

_METADATA = b"huggingface"  # the key under which `datasets` keeps its features


@dataclass(frozen=True)
class Unreadable:
    """Stands for a value that Python cannot hold, such as a date after the year 9999.

    Attributes:
        kind: The Arrow type of its column.
    """

    kind: str

    def __str__(self) -> str:
        return f"{self.kind} out of range"


def columnar_table(content: bytes, suffix: str, source: str, wanted: Sequence[str]) -> Table:
    """Parse a parquet or an Arrow file, the latter as a stream or for random access.

    Args:
        content: The whole file.
        suffix: ".parquet" or ".arrow".
        source: What to call it in errors.
        wanted: Columns that are read.

    Raises:
        FuzzsmoothError: If it cannot be read, or has no rows.
        MissingExtraError: Without pyarrow.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("pyarrow", "data", f"reading {source}") from error
    try:
        schema, table = (_parquet if suffix == ".parquet" else _arrow)(content, wanted)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FuzzsmoothError(
            f"{source} is not a readable {suffix[1:]} file ({reason}); write it again"
        ) from error
    twice = next((name for name in wanted if schema.names.count(name) > 1), None)
    require(twice is None, f"{source} has two columns {shown(twice)}; rename one")
    if not table.num_rows:
        raise FuzzsmoothError(f"{source} has no rows; it needs at least one")
    values = {name: _values(table.column(name)) for name in table.column_names}
    records = (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    rows = tuple(Row(number, f"row {number}", record) for number, record in enumerate(records, 1))
    if not values:
        rows = tuple(Row(number, f"row {number}") for number in range(1, table.num_rows + 1))
    return Table(source, tuple(schema.names), rows, _declared(schema, values))


def _parquet(content: bytes, wanted: Sequence[str]) -> tuple[Any, Any]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(content))
    schema = file.schema_arrow
    return schema, file.read(columns=_single(schema, wanted))


def _arrow(content: bytes, wanted: Sequence[str]) -> tuple[Any, Any]:
    import pyarrow as pa

    opened = pa.ipc.open_file if content.startswith(b"ARROW1") else pa.ipc.open_stream
    table = opened(pa.BufferReader(content)).read_all()
    table.validate(full=True)  # offsets of a broken file may point anywhere
    return table.schema, table.select(_single(table.schema, wanted))


def _single(schema: Any, wanted: Sequence[str]) -> list[str]:
    """The wanted columns that are there once; of two with one name, neither can be asked for by it."""
    return [name for name in dict.fromkeys(wanted) if schema.names.count(name) == 1]


def _values(column: Any) -> list[object]:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return Unreadable(str(scalar.type))


def _declared(schema: Any, read: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Class names in the metadata of `datasets`, for columns that hold indices."""
    import pyarrow as pa

    text = (schema.metadata or {}).get(_METADATA)
    if text is None:
        return {}
    try:
        features = parse_json(text, "the metadata of datasets")["info"]["features"]
        named = {column: _class_label(features.get(column)) for column in read}
    except (FuzzsmoothError, KeyError, TypeError, AttributeError):
        return {}
    return {
        column: names
        for column, names in named.items()
        if names and pa.types.is_integer(schema.field(column).type)
    }


def _class_label(feature: Any) -> tuple[str, ...]:
    names = (
        feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    )
    return tuple(names) if isinstance(names, list) and all(isinstance(one, str) for one in names) else ()
