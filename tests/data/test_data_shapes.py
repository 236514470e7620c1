"""Tables in the shapes that pandas writes, quotes left open, and values that Python cannot hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from data_files import ROWS, failure, load_dataset_file, write, write_csv

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import load_splits, load_texts

# JSON.

RECORDS = [{"text": text, "label": label} for text, label in ROWS]
SHAPES: list[tuple[Any, str]] = [
    ({"text": {"0": "a", "1": "b"}, "label": {"0": 0, "1": 1}}, "orient='columns', pandas' default"),
    ({"0": RECORDS[0], "1": RECORDS[1]}, "or 'index'"),
    ({"columns": ["text", "label"], "index": [0], "data": [["a", 0]]}, "orient='split'"),
    ({"schema": {}, "data": RECORDS}, "orient='table'"),
    ({"data": RECORDS}, "rows under 'data'"),
    ({"text": ["a", "b"], "label": [0, 1]}, "a list under each name"),
]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize(("value", "shape"), SHAPES, ids=[shape for _, shape in SHAPES])
def test_the_shape_of_a_table_that_is_not_rows_is_named(
    tmp_path: Path, value: Any, shape: str, suffix: str
) -> None:
    for indent in (None, 2):
        message = failure(write(tmp_path / f"d{suffix}", json.dumps(value, indent=indent)))
        assert shape in message
        assert "df.to_json(path, orient='records', lines=True)" in message


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_rows_is_read_whatever_its_ending(
    tmp_path: Path, suffix: str, indent: int | None
) -> None:
    path = write(tmp_path / f"d{suffix}", json.dumps(RECORDS, indent=indent))
    assert [(one.text, one.label) for one in load_dataset_file(path)] == ROWS


def test_objects_over_several_lines(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(record, indent=1) for record in RECORDS)
    assert "objects that go over several lines" in failure(write(tmp_path / "d.jsonl", text))
    one = write(tmp_path / "one.json", json.dumps({"text": "a", "meta": {"x": 1}}, indent=1))
    assert load_texts(one).texts == ("a",)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_two_columns_of_one_name(tmp_path: Path, suffix: str) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table([["a", "b"], [0, 1], [1, 0]], names=["text", "label", "label"])
    path = tmp_path / f"d{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    assert "has two columns 'label'; rename one" in failure(path)


def test_missing_values_as_python_writes_them(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", '{"text": "a", "score": NaN, "label": NaN}\n{"text": NaN}\n')
    texts = load_texts(path)
    assert (texts.texts, texts.labels) == (("a",), None)
    assert "line 2: it has no text" in texts.skipped[0]


# Quotes.

OPEN = ["text,label", "fine,1", "dull,0", '"left open,1', "good,0", "bad,1", 'a screen of 12",1', "last,0"]


@pytest.mark.parametrize("columns", ["text,label", "label,text"])
def test_a_quote_left_open_swallows_no_rows(tmp_path: Path, columns: str) -> None:
    turned = columns == "label,text"
    lines = [",".join(reversed(line.split(","))) for line in OPEN] if turned else OPEN
    if turned:
        lines[6] = '1,12"'
    path = write(tmp_path / "d.csv", "\n".join(lines) + "\n")
    dataset = load_dataset_file(path)
    assert dataset.texts == ["fine", "dull", "good", "bad", '12"' if turned else 'a screen of 12"', "last"]
    (sentence,) = dataset.skipped
    assert "row 3 (line 4): broken quoting (the quote that opens here is closed only in line 7" in sentence


def test_a_quote_never_closed(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", 'text,label\na,0\n"b,1\nc,0\nd,1\n')
    dataset = load_dataset_file(path)
    assert dataset.texts == ["a", "c", "d"]
    assert "row 2 (line 3): broken quoting (the quote that opens here is not closed)" in dataset.skipped[0]


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines",
        "Hello, world\nbye",
        "Hello, world\nbye, friend",
        "Hello\nbye, friend",
        "one, two\nthree, four\nfive, six",
        "paragraphs\n\n\nof, text",
    ],
)
@pytest.mark.parametrize("header", [("text", "label"), ("label", "text")])
def test_texts_of_several_lines_stay_whole(tmp_path: Path, text: str, header: tuple[str, str]) -> None:
    rows: list[tuple[Any, ...]] = [(f"text {n}, it is", n % 2) for n in range(10)]
    rows.insert(5, (text, 1))
    if header[0] == "label":
        rows = [(label, words) for words, label in rows]
    dataset = load_dataset_file(write_csv(tmp_path / "d.csv", rows, header))
    assert (dataset.texts[5], dataset.skipped) == (text, ())


# Values.


def test_a_date_out_of_range_is_no_label(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    stamps = pa.array([0, 2**62], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["a", "b"], "label": stamps}), tmp_path / "d.parquet")
    texts = load_texts(tmp_path / "d.parquet")
    assert (texts.texts, texts.labels) == (("a", "b"), None)
    assert texts.notes[0].startswith("2 rows are read without a label")
    assert "label '1970-01-01 00:00:00' is neither a name" in failure(tmp_path / "d.parquet")
    path = tmp_path / "late.parquet"
    pq.write_table(pa.table({"text": ["a"], "label": stamps[1:]}), path)
    assert "label 'timestamp[us] out of range' is neither a name" in failure(path)


def test_a_bad_string_of_a_parquet_file_costs_its_row(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = pa.array([b"a", b"caf\xe9", b"c"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts, "label": [0, 1, 1]}), tmp_path / "d.parquet")
    dataset = load_dataset_file(tmp_path / "d.parquet")
    assert dataset.texts == ["a", "c"]
    assert "row 2: its text is no valid string" in dataset.skipped[0]


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 5000, "~nobody-of-that-name/d.csv"])
@pytest.mark.parametrize("load", [load_splits, load_texts, load_dataset_file])
def test_a_name_that_no_file_can_have(load: Any, name: str) -> None:
    with pytest.raises(FuzzsmoothError, match="there is no file"):
        load(name)
