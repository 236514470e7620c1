"""Files, folders and hub data sets, and every way in which they can be wrong."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.data import load_dataset_file, load_splits, load_texts

ROWS = [(f"text number {index}", index % 2) for index in range(20)]


def write_csv(path: Path, rows: list[tuple[Any, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(
            stream,
            delimiter="\t" if path.suffix == ".tsv" else ",",
            quoting=csv.QUOTE_ALL,
            lineterminator="\n",
        )
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, rows: list[tuple[Any, Any]]) -> Path:
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return path


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_any(path: Path, rows: list[tuple[Any, Any]]) -> Path:
    if path.suffix in (".csv", ".tsv"):
        return write_csv(path, rows)
    if path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        parquet.write_table(pa.table(columns), path)
        return path
    if path.suffix == ".json":
        return write(path, json.dumps([{"text": text, "label": label} for text, label in rows]))
    return write_jsonl(path, rows)


def failure(path: Path | str, **options: Any) -> str:
    """The one sentence a file fails with."""
    with pytest.raises(FuzzsmoothError) as caught:
        load_dataset_file(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# Good input.


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
]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_hard_texts_arrive_unchanged(tmp_path: Path, suffix: str) -> None:
    rows = [(text, index % 2) for index, text in enumerate(HARD_TEXTS)]
    assert load_dataset_file(write_any(tmp_path / f"data.{suffix}", rows)).texts == HARD_TEXTS


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
    content=st.binary(max_size=80), suffix=st.sampled_from(["csv", "tsv", "jsonl", "json", "txt", "parquet"])
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
    assert load([1, 0, "good"], labels=["bad", "good"]) == (("bad", "good"), [1, 0, 1])
    assert load([1, 1], labels=["bad", "good"]) == (("bad", "good"), [1, 1])


# Splits.


def test_one_file_is_split_at_random_within_classes(tmp_path: Path) -> None:
    rows = [(f"t{index}", "rare" if index % 10 == 0 else "common") for index in range(200)]
    path = str(write_csv(tmp_path / "all.csv", rows))
    splits = load_splits(path, test_fraction=0.25, seed=3)
    assert (len(splits.train), len(splits.test)) == (150, 50)
    assert splits.test.targets.count(1) == 5
    assert sorted(splits.train.texts + splits.test.texts) == sorted(text for text, _ in rows)
    assert splits.train.texts == [text for text, _ in rows if text in set(splits.train.texts)]
    assert (splits.train.name, splits.test.name) == (f"{path}[train]", f"{path}[test]")
    again, other = (load_splits(path, test_fraction=0.25, seed=seed) for seed in (3, 4))
    assert again == splits
    assert other.test.texts != splits.test.texts


def test_sizes_sample_within_classes(tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "all.csv", [(f"t{index}", index % 4 == 0) for index in range(400)]))
    splits = load_splits(path, train_size=40, test_size=20, seed=1)
    assert splits.train.targets.count(1) == 10
    assert splits.test.targets.count(1) == 5
    assert load_splits(path, train_size=10_000).train == load_splits(path).train


def test_a_folder_prefers_dev_then_validation_then_test(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", ROWS)
    for name, suffix in (("test", "tsv"), ("validation", "csv"), ("dev", "jsonl")):
        held_out = write_any(tmp_path / f"{name}.{suffix}", [(name, 1)])
        splits = load_splits(str(tmp_path))
        assert splits.test.name == str(held_out)
        assert splits.test.texts == [name]
        assert splits.train.name == str(tmp_path / "train.jsonl")


def test_training_rows_decide_the_classes(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", [("a", "pos"), ("b", "neg")])
    write_csv(tmp_path / "dev.csv", [("c", "neg"), ("d", "neutral"), ("e", "pos")])
    splits = load_splits(str(tmp_path))
    assert splits.test.labels == ("neg", "pos")
    assert splits.test.targets == [0, 1]
    (sentence,) = splits.test.skipped
    assert "dev.csv, row 2 (line 3)" in sentence
    assert "label 'neutral' is out of range" in sentence
    with pytest.raises(FuzzsmoothError, match=r"row 2 .*out of range"):
        load_splits(str(tmp_path), strict=True)


def test_builtin_reviews() -> None:
    splits = load_splits("builtin:reviews", train_size=10, test_size=4, seed=2)
    assert (len(splits.train), len(splits.test)) == (10, 4)
    with pytest.raises(FuzzsmoothError, match="builtin:reviews"):
        load_splits("builtin:review")
    with pytest.raises(FuzzsmoothError, match="own classes"):
        load_splits("builtin:reviews", labels=["a", "b"])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "sizes", "classes"),
    [("sst2", (6920, 872), 2), ("agnews", (8000, 2000), 4), ("offenseval", (11915, 1323), 2)],
)
def test_the_real_sets(real_data: Path, name: str, sizes: tuple[int, int], classes: int) -> None:
    splits = load_splits(str(real_data / name), strict=True)
    assert (len(splits.train), len(splits.test)) == sizes
    assert len(splits.train.labels) == classes
    assert splits.test.name.endswith("dev.jsonl")


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
    ('{"text": "a", "label": ' + "1" * 5000 + "}", "number too long"),
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


# Hugging Face data sets: `load_dataset` is the boundary; what it returns here are real data sets.


def hub(monkeypatch: pytest.MonkeyPatch, splits: dict[str, list[int]], names: list[str]) -> list[Any]:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(sentence=datasets.Value("string"), label=datasets.ClassLabel(names=names))
    loaded = datasets.DatasetDict(
        {
            name: datasets.Dataset.from_dict(
                {"sentence": [f"{name} {index}" for index in range(len(labels))], "label": labels}, features
            )
            for name, labels in splits.items()
        }
    )
    calls: list[Any] = []

    def load_dataset(*arguments: Any, **options: Any) -> Any:
        calls.append((arguments, options))
        return loaded

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


def test_a_hub_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = hub(
        monkeypatch,
        {"train": [0, 1, 1], "test": [-1, -1], "validation": [1, 0, -1]},
        ["negative", "positive"],
    )
    splits = load_splits("glue:sst2", text_column="sentence")
    assert calls[0][0] == ("glue", "sst2")
    assert calls[0][1].get("trust_remote_code", False) is False
    assert splits.train.labels == ("negative", "positive")
    assert (splits.train.name, splits.test.name) == ("glue:sst2[train]", "glue:sst2[validation]")
    assert splits.test.targets == [1, 0]
    assert splits.test.skipped == (
        "glue:sst2[validation], row 3: label '-1' is out of range; the classes are negative, positive",
    )
    with pytest.raises(FuzzsmoothError, match=r"no column 'text'; its columns are: sentence, label"):
        load_splits("glue:sst2")


def test_a_hub_name_with_one_split_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, {"train": [0, 1] * 10}, ["a", "b"])
    splits = load_splits("owner/name", text_column="sentence")
    assert (len(splits.train), len(splits.test)) == (16, 4)
    hub(monkeypatch, {"full": [0, 1]}, ["a", "b"])
    with pytest.raises(FuzzsmoothError, match="no split 'train'; its splits are full"):
        load_splits("owner/name", text_column="sentence")


def test_a_hub_name_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def load_dataset(*_: Any, **__: Any) -> Any:
        raise ConnectionError("Couldn't reach it\nmore")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(FuzzsmoothError, match=r"neither a file .* nor a data set .*\(Couldn't reach it\)$"):
        load_splits("owner/name")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"fuzzsmooth\[data\]"):
        load_splits("owner/name")


# Texts to classify.


def test_texts_from_a_table(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [("a", "pos"), ("", "neg"), (None, "pos"), ("d", None)])
    given_texts = load_texts(path)
    assert given_texts.texts == ("a", "", "d")
    assert given_texts.rows == (1, 2, 4)
    assert given_texts.labels == ("pos", "neg", None)
    assert given_texts.targets(("neg", "pos")) == [1, 0, None]
    assert len(given_texts) == 3
    assert "line 3: it has no text" in given_texts.skipped[0]
    with pytest.raises(FuzzsmoothError, match="out of range"):
        given_texts.targets(("x", "y"))
    with pytest.raises(FuzzsmoothError, match="line 3"):
        load_texts(path, strict=True)


def test_texts_without_labels(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "d.csv", [("a",), ("",)], header=("review",))
    given_texts = load_texts(path, text_column="review")
    assert (given_texts.texts, given_texts.labels) == (("a", ""), None)
    assert given_texts.targets(("x", "y")) is None
    with pytest.raises(FuzzsmoothError, match="no column 'text'"):
        load_texts(path)


def test_texts_one_a_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.txt", '\ufefffirst, "text"\r\n\r\nthird\u2028still\n'.encode() + b"bad \xff\nlast"
    )
    given_texts = load_texts(path)
    assert given_texts.texts == ('first, "text"', "", "third\u2028still", "last")
    assert given_texts.rows == (1, 2, 3, 5)
    assert "line 4: byte 0xff" in given_texts.skipped[0]
    with pytest.raises(FuzzsmoothError, match="is empty"):
        load_texts(write(path, b""))


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("txt", "a\nb\n"),
        ("csv", "text\na\nb\n"),
        ("tsv", "text\nb\n"),
        ("jsonl", '{"text": "a"}\n{"text": "b"}'),
    ],
)
def test_texts_from_standard_input(monkeypatch: pytest.MonkeyPatch, form: Any, content: str) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))
    assert load_texts("-", stdin_format=form).texts[-1] == "b"


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(FuzzsmoothError, match="standard input is empty"):
        load_texts("-")
