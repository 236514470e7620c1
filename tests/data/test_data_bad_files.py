"""Rows and files that cannot be used, each with its one sentence."""

from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from data_files import ROWS, failure, load_dataset_file, write, write_any, write_csv, write_jsonl

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.data import load_splits, load_texts

# Rows that are left out.

BAD_LINES = [
    ('{"text": "", "label": 0}', "its text is empty"),
    ('{"text": "  ", "label": 0}', "its text is empty"),
    ('{"text": null, "label": 0}', "it has no text"),
    ('{"label": 0}', "it has no text"),
    ('{"text": 5, "label": 0}', "its text is int, not a string"),
    ('{"text": ["a"], "label": 0}', "its text is list, not a string"),
    ('{"text": "a"}', "it has no label"),
    ('{"text": "a", "label": null}', "it has no label"),
    ('{"text": "a", "label": ""}', "it has no label"),
    ('{"text": "a", "label": NaN}', "it has no label"),
    ('{"text": "a", "label": -1}', "label '-1' is out of range"),
    ('{"text": "a", "label": 0.5}', "neither a name nor a whole number"),
    ('{"text": "a", "label": [1]}', "neither a name nor a whole number"),
    ('{"text": "a", "label": 0', "not JSON"),
    ('["a", 0]', "expected a JSON object"),
    ('{"text": "a\\u0000b", "label": 0}', "NUL"),
    ('{"text": "a\0b", "label": 0}', "NUL"),
    ('{"text": "a\\ud800b", "label": 0}', "surrogate"),
    ("[" * 100_000, "nested too deep"),
    ('{"text": "a", "label": ' + "1" * 5000 + "}", "a number has 5000 digits"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES, ids=[reason for _, reason in BAD_LINES])
def test_a_bad_json_line_costs_one_row(tmp_path: Path, line: str, reason: str) -> None:
    good = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    path = write(tmp_path / "d.jsonl", "\n".join([*good[:7], line, *good[7:]]))
    dataset = load_dataset_file(path)
    assert [(example.text, example.label) for example in dataset] == ROWS
    (sentence,) = dataset.skipped
    assert sentence.startswith(f"{path}, line 8: ")
    assert reason in sentence
    assert failure(path, strict=True) == sentence


BAD_RECORDS = [
    (b",0", "its text is empty"),
    (b"a", "it has no label"),
    (b"a,", "it has no label"),
    (b"a, with a comma,0", "it has 3 values for 2 columns"),
    (b'"a" b,0', "broken quoting"),
    (b'"a,0', "broken quoting"),
    (b"caf\xe9,0", "byte 0xe9 at offset "),
    (b"a\0b,0", "NUL"),
    (b"a,-1", "label '-1' is out of range"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_RECORDS, ids=[reason for _, reason in BAD_RECORDS])
def test_a_bad_csv_row_costs_one_row(tmp_path: Path, line: bytes, reason: str) -> None:
    good = [f"{text},{label}".encode() for text, label in ROWS]
    path = write(tmp_path / "d.csv", b"\n".join([b"text,label", *good[:7], line, *good[7:]]))
    dataset = load_dataset_file(path)
    assert [(example.text, example.label) for example in dataset] == ROWS
    (sentence,) = dataset.skipped
    assert sentence.startswith(f"{path}, row 8 (line 9): ")
    assert reason in sentence
    assert failure(path, strict=True) == sentence


def test_the_offset_of_a_byte_that_is_not_utf8(tmp_path: Path) -> None:
    for start in (b"", b"\xef\xbb\xbf"):
        content = start + "text,label\n日本,0\nb,1\n".encode() + b"caf\xff,1\n"
        dataset = load_dataset_file(write(tmp_path / "d.csv", content))
        assert f"byte 0xff at offset {content.index(0xFF, 3)} is not UTF-8" in dataset.skipped[0]


def test_line_numbers_count_lines_inside_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", 'text,label\n"a\nb\nc",0\n,1\nd,1\n')
    assert "row 2 (line 5)" in load_dataset_file(path).skipped[0]


def test_many_bad_rows_are_listed_in_file_order(tmp_path: Path) -> None:
    rows = [*ROWS, ("", 0), ("x", None), ("", 1), ("x", -1), (7, 0)]
    skipped = load_dataset_file(write_jsonl(tmp_path / "d.jsonl", rows)).skipped
    assert [sentence.split(", line ")[1].split(":")[0] for sentence in skipped] == [
        "21",
        "22",
        "23",
        "24",
        "25",
    ]


def test_parquet_nulls(tmp_path: Path) -> None:
    path = write_any(tmp_path / "d.parquet", [*ROWS, (None, 1), ("x", None)])
    assert [sentence.split(", ")[-1] for sentence in load_dataset_file(path).skipped] == [
        "row 21: it has no text; fill it in or delete the row",
        "row 22: it has no label; fill it in or delete the row",
    ]


# Files that cannot be used.


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("d.csv", b"", "is empty"),
        ("d.jsonl", b" \n\n", "is empty"),
        ("d.csv", b"\xef\xbb\xbf\n", "is empty"),
        ("d.csv", b"text,label\n", "has a header but no rows"),
        ("d.json", b"[]", "is empty"),
        ("d.json", b'[{"text": ', "is not JSON"),
        ("d.parquet", b"PAR1 and then nothing", "is not a readable parquet file"),
        ("d.xlsx", b"PK", "known file endings: .csv, .tsv, .jsonl"),
        ("data", b"x", "no ending"),
        ("d.csv", "text,label\na,0\n".encode("utf-16"), "is UTF-16"),
        ("d.csv", b"text,text,label\na,b,0\n", "two columns 'text'"),
        ("d.csv", b'"text,label\na,0\n', "the header"),
        ("d.csv", b"te\xffxt,label\na,0\n", "byte 0xff at offset 2"),
        ("d.csv", b"text,label\na,0\nb,0\n", "fewer than two classes in column 'label' ('0')"),
        ("d.csv", b"text,label\na,-1\nb,-2\n", "fewer than two classes"),
        ("d.csv", b"text,label\n,0\n,1\n", "no usable row (all 2 rows are bad); the first: "),
        ("d.jsonl", b"hello", "no usable row (its only row is bad); the first: "),
        ("d.jsonl", b"{}\n{}\n", "no usable row"),
        ("d.csv", b"Texts,label\na,0\n", "its columns are: Texts, label - did you mean 'Texts'?"),
        ("d.csv", b"body,label\na,0\n", "its columns are: body, label - name the right one"),
        ("d.csv", b"text;label\na;0\n", "';' seems to separate values"),
        ("d.jsonl", b'{"text": "a", "la\\nble": 1}', r"no column 'label'; its columns are: text, la\nble"),
        ("d.jsonl", b'{"text": "a", "lable": 1}', "no column 'label'; its columns are: text, lable"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = write(tmp_path / name, content)
    message = failure(path)
    assert str(path) in message
    assert reason in message


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "there is no file" in failure(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in failure(tmp_path / "folder.csv")
    for source in (str(tmp_path / "none.csv"), "none.csv", "./none", "a/b/c"):
        with pytest.raises(FuzzsmoothError, match=r"there is no file|no ending"):
            load_splits(source)


def test_incomplete_and_ambiguous_folders(tmp_path: Path) -> None:
    def message() -> str:
        with pytest.raises(FuzzsmoothError) as caught:
            load_splits(str(tmp_path))
        return str(caught.value)

    assert "has no train file" in message()
    write_csv(tmp_path / "train.csv", ROWS)
    assert "no dev, validation or test file" in message()
    write_csv(tmp_path / "dev.csv", ROWS)
    load_splits(str(tmp_path))
    write_jsonl(tmp_path / "train.jsonl", ROWS)
    assert "train.csv and train.jsonl" in message()


def test_one_class_only_with_known_names(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "d.csv", [("a", 1), ("b", 1), ("c", 1)])
    assert len(load_dataset_file(path, labels=["bad", "good"])) == 3
    with pytest.raises(FuzzsmoothError, match=r"one class only \('good'\)"):
        load_splits(str(path), labels=["bad", "good"])


@pytest.mark.parametrize(
    "options",
    [
        {"test_fraction": 0.0},
        {"test_fraction": 1.0},
        {"seed": -1},
        {"train_size": 0},
        {"test_size": -3},
        {"labels": ["only"]},
        {"labels": ["same", "same"]},
    ],
)
def test_options_out_of_range(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write_csv(tmp_path / "d.csv", ROWS)
    with pytest.raises(FuzzsmoothError, match=next(iter(options)).replace("seed", "the seed")):
        load_splits(str(path), **options)


def test_missing_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"fuzzsmooth\[data\]"):
        load_dataset_file(write(tmp_path / "d.parquet", b"PAR1"))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_small_file_that_is_packed_for_gigabytes_is_refused_before_it_is_unpacked(
    suffix: str, tmp_path: Path
) -> None:
    """A hundred thousand times one value of a dictionary, which is in the file once."""
    pa = pytest.importorskip("pyarrow")
    value, rows = "a fine film " * 2000, 100_000
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))
    table = pa.table({"text": column})
    path = tmp_path / f"bomb{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, path, store_schema=False)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(
            FuzzsmoothError, match=r"bomb\.\w+ holds more than \d+ MiB once it is unpacked, far"
        ):
            load_texts(path)
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()
