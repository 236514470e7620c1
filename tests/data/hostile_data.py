"""Data files and folders of strangers: valid ones with something wrong in them, in every format."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from hostile_inputs import ODD, damaged, damaged_bytes

TEXTS = ("a good film", "a dull film", "bad food", "fine food", 'it\'s "fine"', "ein schöner Tag")
LABELS = (1, 0, 0, 1, 1, 0)
ROWS = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
NAMED = [{"text": text, "label": ("neg", "pos")[label]} for text, label in zip(TEXTS, LABELS, strict=True)]

# Cells of a table with a delimiter, as somebody may have left them there.
_CELLS = (
    *TEXTS,
    *("0", "1", "1.0", "-1", "pos", "Pos", "POS ", "", " ", "NaN", "null", "None", "٣", "1e999", "9" * 30),
    *(
        '"',
        '""',
        '"open',
        'clo"sed',
        '"a,b"',
        '"a\tb"',
        '"two\nlines"',
        '"a ""quoted"" word"',
        "'",
        "\\",
        '\\"',
    ),
    *(",", "\t", ";", "|", "\r", "\x00", "\x0b", "\u2028", "\x85", "\ufeff", "\u202e", "\x1b[2J", "😀", "ﷺ"),
    *("x" * 200_000, '"' + "y,\n" * 2000 + '"', "=cmd()", "{}", "[1, 2]", "<b>"),
)
_HEADERS = (
    *("text", "label", "text", "label", "Text", "LABEL", " text ", '"text"', "", "id", "label_text", "a\nb"),
    *("\ufefftext", "sentence", "x" * 5000, "text;label", "0", "\x00", "😀", '"'),
)
_ENCODINGS = (*["utf-8"] * 9, "utf-8-sig", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252")


@st.composite
def delimited(draw: st.DrawFn, ending: str) -> bytes:
    """A csv or tsv file, or nearly one."""
    delimiter = draw(st.sampled_from((*["\t" if ending == ".tsv" else ","] * 6, ";", "\t")))
    end = draw(st.sampled_from(("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\u2028")))
    rows = [[text, str(label)] for text, label in zip(TEXTS, LABELS, strict=True)]
    table = [["text", "label"], *map(list, rows * 3)]
    if draw(st.integers(0, 3)) == 0:
        table[0] = draw(st.lists(st.sampled_from(_HEADERS), min_size=1, max_size=4))
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.sampled_from(table))
        row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(_CELLS))
    table += draw(st.lists(st.lists(st.sampled_from(_CELLS), max_size=4), max_size=3))
    text = end.join(delimiter.join(row) for row in table) + end * draw(st.integers(0, 1))
    content = text.encode(draw(st.sampled_from(_ENCODINGS)), "replace")
    return draw(damaged_bytes(content)) if draw(st.integers(0, 2)) == 0 else content


_SHAPES: tuple[Any, ...] = (
    ROWS,
    {"columns": ["text", "label"], "index": [0, 1], "data": [["a", 0], ["b", 1]]},
    {"text": {"0": "a", "1": "b"}, "label": {"0": 0, "1": 1}},
    {"0": {"text": "a", "label": 0}, "1": {"text": "b", "label": 1}},
    [["a", 0], ["b", 1]],
    {"schema": {"fields": [{"name": "text", "type": "string"}], "pandas_version": "1.4.0"}, "data": ROWS},
    {"data": ROWS, "version": "1"},
    {"text": list(TEXTS), "label": list(LABELS)},
    {"train": ROWS, "test": ROWS},
)


def json_documents() -> st.SearchStrategy[bytes]:
    """JSON lines, arrays, and the shapes in which pandas and others write tables; all of them damaged."""
    lines = st.one_of(damaged(*ROWS, *ROWS), damaged(*NAMED, *NAMED), damaged(*ROWS, *NAMED))
    indented = json.dumps(ROWS, indent=1).encode()
    others = st.one_of(damaged_bytes(indented), *map(damaged, _SHAPES))
    return st.one_of(lines, lines, lines, others)


# Values of columns, by the type that they have in a file.
_COLUMNS: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (pa.string(), TEXTS),
    (pa.string(), ("pos", "neg", "Pos", None, "", "x" * 100_000)),
    (pa.string(), ("a\0b", "\u202e", "\x1b[2J", "1", "0", None)),
    (pa.large_string(), TEXTS),
    (pa.dictionary(pa.int8(), pa.string()), ("pos", "neg", None)),
    (pa.binary(), (b"a", b"\xff", b"")),
    (pa.int64(), (0, 1, 2, -1, 2**62, None)),
    (pa.int8(), (0, 1)),
    (pa.uint64(), (0, 1, 2**64 - 1)),
    (pa.bool_(), (True, False, None)),
    (pa.float64(), (0.0, 1.0, float("nan"), float("inf"), 1e308, 0.5, None)),
    (pa.float32(), (0.0, 1.0)),
    (pa.timestamp("us"), (2**62, 0, None)),
    (pa.timestamp("ns", tz="Europe/Berlin"), (0, 2**62)),
    (pa.timestamp("s", tz="Not/AZone"), (0, 1)),
    (pa.date32(), (date(2020, 1, 1), None)),
    (pa.date64(), (0, 2**60)),
    (pa.time64("ns"), (time(1, 2), None)),
    (pa.duration("ns"), (timedelta(seconds=1), 2**62)),
    (pa.decimal128(38, 2), (Decimal("1.00"), Decimal("0.50"), None)),
    (pa.decimal256(76, 0), (Decimal(10) ** 75, None)),
    (pa.list_(pa.string()), (["a"], [], None)),
    (pa.list_(pa.int64()), ([1], [0, 1])),
    (pa.struct([("a", pa.int64())]), ({"a": 1}, None)),
    (pa.map_(pa.string(), pa.int64()), ([("a", 1)], None)),
    (pa.null(), (None,)),
    (pa.timestamp("us"), (datetime(2020, 1, 1, tzinfo=UTC), None)),
)
_FEATURES: dict[str, Any] = {
    "info": {
        "features": {
            "text": {"dtype": "string", "_type": "Value"},
            "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
        }
    }
}
_CLASSES = (
    *(["neg", "pos"], ["pos"], ["a", "a"], ["0", "1"], ["LABEL_0", "LABEL_1"], ["", " "]),
    ["x" * 5000, "\x1b[2J", "\u202e"],
)
_ODD_COLUMNS = ("text", "label", "", "Text", "x" * 5000, "\x1b[2J")


@st.composite
def _table(draw: st.DrawFn) -> Any:
    names = ["text", "label"]
    columns = [pa.array(TEXTS), pa.array(LABELS)]
    for place in range(2):
        if draw(st.integers(0, 2)) == 0:
            kind, values = draw(st.sampled_from(_COLUMNS))
            columns[place] = pa.array([values[n % len(values)] for n in range(len(TEXTS))], kind)
    if draw(st.integers(0, 3)) == 0:
        names[draw(st.integers(0, 1))] = draw(st.sampled_from(_ODD_COLUMNS))
    table = pa.table(columns, names=names)
    features = draw(st.sampled_from((None, *map(_with_names, _CLASSES))))
    if features is not None:
        metadata = draw(damaged(features)) if draw(st.booleans()) else json.dumps(features).encode()
        table = table.replace_schema_metadata(
            {"huggingface": metadata, "pandas": draw(st.sampled_from(ODD[:20]))}
        )
    return table.slice(0, draw(st.sampled_from((*[len(TEXTS)] * 9, 2, 1, 0))))


def _with_names(names: list[str]) -> dict[str, Any]:
    features = _FEATURES["info"]["features"]
    return {"info": {"features": features | {"label": features["label"] | {"names": names}}}}


def _parquet(table: Any, compression: str) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, compression=compression, row_group_size=3)
    return stream.getvalue()


def _arrow(table: Any, compression: str, *, stream: bool) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression if compression == "zstd" else None)
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=3)
    return bytes(sink.getvalue().to_pybytes())


@st.composite
def columnar(draw: st.DrawFn, *, parquet: bool) -> bytes:
    """A parquet or an Arrow file with odd columns and metadata, or damaged bytes."""
    table, compression = draw(_table()), draw(st.sampled_from(("none", "snappy", "zstd")))
    try:
        content = (
            _parquet(table, compression)
            if parquet
            else _arrow(table, compression, stream=draw(st.booleans()))
        )
    except (pa.ArrowException, ValueError):  # a type or a name that cannot be written
        content = _parquet(pa.table({"text": TEXTS, "label": LABELS}), "none")
    return draw(damaged_bytes(content)) if draw(st.integers(0, 2)) == 0 else content


_STATE = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "ab", "_split": "train"}
_PLACES = (
    *("train", "train", "dev", "validation", "test", "train-00000-of-00001", "train-00000-of-00002"),
    *("train-00001-of-00002", "train-99999-of-99999", "data-00000-of-00001", "Train", "", "train.csv"),
)
_INSIDE = ("", "", "", "data", "train", "validation")
_ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".arrow", ".txt", "")
_BY_ENDING: Mapping[str, st.SearchStrategy[bytes]] = {
    ".csv": delimited(".csv"),
    ".tsv": delimited(".tsv"),
    ".parquet": columnar(parquet=True),
    ".arrow": columnar(parquet=False),
}


def content_for(ending: str) -> st.SearchStrategy[bytes]:
    """What a file of this ending may hold."""
    return _BY_ENDING.get(ending, json_documents())


def sound(ending: str) -> bytes:
    """A file of this ending with nothing wrong in it."""
    table = pa.table({"text": TEXTS, "label": LABELS})
    if ending in (".parquet", ".arrow"):
        return _parquet(table, "none") if ending == ".parquet" else _arrow(table, "none", stream=True)
    if ending in (".csv", ".tsv"):
        rows = [("text", "label"), *(tuple(map(str, row.values())) for row in ROWS)]
        return "".join((",", "\t")[ending == ".tsv"].join(row) + "\n" for row in rows).encode()
    return (
        json.dumps(ROWS).encode()
        if ending == ".json"
        else b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
    )


@st.composite
def folders(draw: st.DrawFn) -> dict[str, bytes | None]:
    """Names in a folder, each with the content of a file, or None for a folder of that name."""
    files: dict[str, bytes | None] = {}
    if draw(st.integers(0, 4)):
        ending = draw(st.sampled_from(_ENDINGS[:6]))
        files = {f"{name}{ending}": draw(content_for(ending)) for name in ("train", "dev")}
        files[f"{draw(st.sampled_from(('train', 'dev')))}{ending}"] = sound(ending)
    for _ in range(draw(st.integers(0, 3))):
        ending = draw(st.sampled_from(_ENDINGS))
        name = str(Path(draw(st.sampled_from(_INSIDE)), draw(st.sampled_from(_PLACES)) + ending))
        files[name] = None if draw(st.integers(0, 9)) == 0 else draw(content_for(ending))
    if draw(st.booleans()):
        inside = draw(st.sampled_from(_INSIDE))
        state = draw(damaged(_STATE)) if draw(st.booleans()) else json.dumps(_STATE).encode()
        files[str(Path(inside, "state.json"))] = state
        files[str(Path(inside, "data-00000-of-00001.arrow"))] = draw(columnar(parquet=False))
    return files
