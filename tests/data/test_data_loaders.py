"""Files of every format, good ones: what arrives is what was written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from data_files import ROWS, load_dataset_file, write, write_any, write_csv, write_jsonl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import load_texts


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "ndjson", "json", "parquet"])
def test_every_format_gives_the_same_data(tmp_path: Path, suffix: str) -> None:
    path = write_any(tmp_path / f"data.{suffix}", ROWS)
    dataset = load_dataset_file(path)
    assert [(example.text, example.label) for example in dataset] == ROWS
    assert dataset.labels == ("0", "1")
    assert dataset.skipped == ()
    assert dataset.name == str(path)


HARD_TEXTS = [
    "😀 family: 👨‍👩‍👧‍👦",
    "这部电影很好看",
    "הסרט היה נהדר שלום",
    'a "quoted" text, with commas',
    "two\nlines\r\nof text",
    "tab\tinside",
    "line\u2028separator\u2029and\x85next",
    " spaces kept ",
    "word " * 10_000,
    "\ufeffmark inside",
    # What triggers are made of, and what a reader must not mend: zero-width marks, bidirectional controls,
    # letters of other scripts that look alike, composed and decomposed accents, markup, odd punctuation.
    "zero\u200bwidth \u200c \u200d \u2060 \ufeff end",
    "\u202eturned\u202c and \u2066isolated\u2069",
    "f\u043eotball \u0430nd \u03bfmega",
    "caf\xe9 and cafe\u0301",
    "<s>struck</s> <br/> [SEP] </s> &amp; &#0;",
    "?!?  ...  \u2026\u2014\u2013 \u201cso\u201d \xabno\xbb ''",
    "tag \U000e0041\U000e007f, soft\xadhyphen, no\xa0break, variation \u2764\ufe0f",
    "\U0001f995 http://q.zx/1 NaN None null 1e5 =1+1 @x #y",
]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_hard_texts_arrive_unchanged(tmp_path: Path, suffix: str) -> None:
    rows = [(text, index % 2) for index, text in enumerate(HARD_TEXTS)]
    path = write_any(tmp_path / f"data.{suffix}", rows)
    assert load_dataset_file(path).texts == HARD_TEXTS
    assert load_texts(path).texts == tuple(HARD_TEXTS)


def test_a_field_over_the_csv_limit_loads_and_the_limit_is_put_back(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "x" * (before + 1)
    dataset = load_dataset_file(write_csv(tmp_path / "data.csv", [(long, "a"), ("y", "b")]))
    assert dataset.texts == [long, "y"]
    assert csv.field_size_limit() == before


usable_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
).filter(str.strip)
labeled = st.lists(st.tuples(usable_text, st.sampled_from(["no", "yes"])), max_size=12)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=labeled)
def test_round_trip(tmp_path: Path, suffix: str, rows: list[tuple[str, str]]) -> None:
    rows = [("first", "no"), *rows, ("last", "yes")]
    dataset = load_dataset_file(write_any(tmp_path / f"data.{suffix}", rows))
    assert [(example.text, dataset.labels[example.label]) for example in dataset] == rows


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=80),
    suffix=st.sampled_from(["csv", "tsv", "jsonl", "json", "txt", "parquet", "arrow"]),
)
def test_any_bytes_give_texts_or_one_sentence(tmp_path: Path, content: bytes, suffix: str) -> None:
    for prefix in (b"", b"text,label\n", b'{"text": "', b"["):
        path = write(tmp_path / f"data.{suffix}", prefix + content)
        for load in load_texts, load_dataset_file:
            message = ""
            try:
                load(path)
            except FuzzsmoothError as error:
                message = str(error)
            assert "\n" not in message


def test_other_columns_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", b"\xef\xbb\xbfid,review,stars\r\n1,good,up\r\n\r\n2,bad,down\r\n")
    dataset = load_dataset_file(path, text_column="review", label_column="stars")
    assert (dataset.texts, dataset.targets, dataset.labels) == (["good", "bad"], [1, 0], ("down", "up"))
    lines = write(
        tmp_path / "d.jsonl", b'\xef\xbb\xbf{"text": "a", "label": true}\n\n{"text": "b", "label": false}'
    )
    assert load_dataset_file(lines).labels == ("false", "true")
    first = write(tmp_path / "e.csv", b"\xef\xbb\xbftext,label\na,0\nb,1\n")
    assert load_dataset_file(first).texts == ["a", "b"]


def test_how_labels_become_classes(tmp_path: Path) -> None:
    def load(column: list[Any], **options: Any) -> tuple[tuple[str, ...], list[int]]:
        rows = [(f"t{index}", label) for index, label in enumerate(column)]
        dataset = load_dataset_file(write_jsonl(tmp_path / "d.jsonl", rows), **options)
        return dataset.labels, dataset.targets

    assert load(["pos", "neg", " pos "]) == (("neg", "pos"), [1, 0, 1])
    assert load([10, 9, 2.0, "9"]) == (("2", "9", "10"), [2, 1, 0, 1])
    assert load([1, "spam"]) == (("1", "spam"), [0, 1])
    assert load([1, 0, "1.0"], labels=["bad", "good"]) == (("bad", "good"), [1, 0, 1])
    assert load([1, 1], labels=["bad", "good"]) == (("bad", "good"), [1, 1])
