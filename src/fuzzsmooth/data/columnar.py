"""Parquet and Arrow files, as pandas and `datasets` write them, with the class names that these declare."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import parse_json
from fuzzsmooth.data.lines import DATA_BYTES
from fuzzsmooth.data.records import Row, Table
from fuzzsmooth.data.wording import shown

_ROWS = 64  # that are unpacked at once: one value may be as large as the file
_ROW = 100  # bytes of a row that holds nothing, about
_UNPACKED, _RATIO = 256 * 2**20, 64  # bytes that any file may hold unpacked, and more for each that it has
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
        schema, batches = (_parquet if suffix == ".parquet" else _arrow)(content, wanted)
        values, count = _read(batches, _single(schema, wanted), source, most_bytes(len(content)))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FuzzsmoothError(
            f"{source} is not a readable {suffix[1:]} file ({reason}); write it again"
        ) from error
    twice = next((name for name in wanted if schema.names.count(name) > 1), None)
    require(twice is None, f"{source} has two columns {shown(twice)}; rename one")
    if not count:
        raise FuzzsmoothError(f"{source} has no rows; it needs at least one")
    records = (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    rows = tuple(Row(number, f"row {number}", record) for number, record in enumerate(records, 1))
    if not values:
        rows = tuple(Row(number, f"row {number}") for number in range(1, count + 1))
    return Table(source, tuple(schema.names), rows, _declared(schema, values))


def most_bytes(packed: int) -> int:
    """Bytes that a file of so many may hold unpacked; a few kilobytes can be packed for gigabytes."""
    return min(DATA_BYTES, _UNPACKED + _RATIO * packed)


def _parquet(content: bytes, wanted: Sequence[str]) -> tuple[Any, Iterator[Any]]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(content))
    schema = file.schema_arrow
    return schema, file.iter_batches(_ROWS, columns=_single(schema, wanted))


def _arrow(content: bytes, wanted: Sequence[str]) -> tuple[Any, Iterator[Any]]:
    import pyarrow as pa

    reader: Any = pa.BufferReader(content)
    if content.startswith(b"ARROW1"):
        opened = pa.ipc.open_file(reader)
        batches = (opened.get_batch(index) for index in range(opened.num_record_batches))
    else:
        opened = pa.ipc.open_stream(reader)
        batches = iter(opened)
    names = _single(opened.schema, wanted)

    def checked() -> Iterator[Any]:
        for batch in batches:
            batch.validate(full=True)  # offsets of a broken file may point anywhere
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.select(names).slice(start, _ROWS)

    return opened.schema, checked()


def _read(
    batches: Iterator[Any], names: Sequence[str], source: str, most: int
) -> tuple[dict[str, list[object]], int]:
    """The values of each column, and how many rows there are.

    Raises:
        FuzzsmoothError: If they take more room than a file of its size may.
    """
    values: dict[str, list[object]] = {name: [] for name in names}
    count = size = 0
    for batch in batches:
        count += batch.num_rows
        size += batch.nbytes + _ROW * batch.num_rows
        for name in names:
            more = _values(batch.column(name))
            size += sum(len(one) for one in more if isinstance(one, str))  # a dictionary's, each time
            values[name] += more
        require(
            size <= most,
            f"{source} holds more than {most >> 20:,} MiB once it is unpacked, far more than a data set of "
            "its size; split it, or write it as JSON lines",
        )
    return values, count


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
