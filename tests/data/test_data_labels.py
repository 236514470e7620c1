"""What the labels of a file mean is decided once for the file: by name, or else by index; never by both."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from data_files import failure, load_dataset_file, write_csv, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import class_index, load_splits, load_texts
from fuzzsmooth.data.labels import Classes


def read(tmp_path: Path, column: list[Any], **options: Any) -> tuple[tuple[str, ...], list[int], str, int]:
    """Class names, indices, the only note or nothing, and how many rows were left out."""
    path = write_jsonl(tmp_path / "d.jsonl", [(f"t{index}", label) for index, label in enumerate(column)])
    dataset = load_dataset_file(path, **options)
    assert all(str(path) in note for note in dataset.notes)
    return dataset.labels, dataset.targets, " ".join(dataset.notes), len(dataset.skipped)


def test_numbers_are_indices_only_where_no_label_is_a_name(tmp_path: Path) -> None:
    labels, targets, note, left_out = read(tmp_path, [1, 0, 1], labels=["bad", "good"])
    assert (labels, targets, left_out) == (("bad", "good"), [1, 0, 1], 0)
    assert "read as indices: 0 is 'bad', 1 is 'good'" in note
    _, targets, note, left_out = read(tmp_path, ["good", 0, "bad", 1], labels=["bad", "good"])
    assert (targets, note, left_out) == ([1, 0], "", 2)


def test_numbers_that_are_names_are_matched_as_names(tmp_path: Path) -> None:
    assert read(tmp_path, [1, 2, 1], labels=["2", "1"])[:3] == (("2", "1"), [1, 0, 1], "")
    assert read(tmp_path, [0, 1], labels=["LABEL_0", "LABEL_1"])[1:3] == ([0, 1], "")


@pytest.mark.parametrize(
    ("column", "names", "reason"),
    [
        # Read row by row, 1 was the first class by its name and 0 the first class by its index.
        ([0, 1], ["1", "2"], "may be names or indices"),
        ([-1, 0, 1], ["1", "2"], "may be names or indices"),
        ([0], ["1", "2"], "neither names nor indices"),
        # Counted from 1: half of the rows would be the wrong class, the others out of range.
        ([1, 2], ["neg", "pos"], "neither names nor indices"),
        (["bad", "good"], ["neg", "pos"], "none of which is one of the classes neg, pos"),
        (["bad", "good"], ["LABEL_0", "LABEL_1"], "none of which is one of the classes LABEL_0, LABEL_1"),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused(
    tmp_path: Path, column: list[Any], names: list[str], reason: str
) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [(f"t{index}", label) for index, label in enumerate(column)])
    assert reason in failure(path, labels=names)


def test_case_is_folded_where_one_class_is_meant(tmp_path: Path) -> None:
    column = ["Positive", "positive", "POSITIVE", "positive", "Negative"]
    labels, targets, note, _ = read(tmp_path, column)
    assert (labels, targets) == (("Negative", "positive"), [1, 1, 1, 1, 0])
    assert "without regard to case: 'Positive' as 'positive', 'POSITIVE' as 'positive'" in note
    labels, targets, note, _ = read(tmp_path, column, labels=["POSITIVE", "NEGATIVE"])
    assert (labels, targets) == (("POSITIVE", "NEGATIVE"), [0, 0, 0, 0, 1])
    assert "'Negative' as 'NEGATIVE'" in note
    # The same letter as one character and as two.
    assert read(tmp_path, ["caf\xe9", "cafe\u0301", "bar"])[1] == [1, 1, 0]


def test_case_is_kept_where_it_tells_classes_apart(tmp_path: Path) -> None:
    labels, targets, note, left_out = read(tmp_path, ["us", "US", "Us"], labels=["US", "us"])
    assert (labels, targets, note, left_out) == (("US", "us"), [1, 0], "", 1)


def test_the_labels_of_texts_to_classify(tmp_path: Path) -> None:
    texts = load_texts(write_jsonl(tmp_path / "d.jsonl", [("a", "Pos"), ("b", None), ("c", "neg")]))
    assert texts.targets(["pos", "neg"]) == [0, None, 1]
    ambiguous = load_texts(write_jsonl(tmp_path / "d.jsonl", [("a", 0), ("b", 1)]))
    assert ambiguous.targets(["neg", "pos"]) == [0, 1]
    with pytest.raises(FuzzsmoothError, match="may be names or indices"):
        ambiguous.targets(["1", "2"])


def test_a_label_that_is_none_costs_no_text(tmp_path: Path) -> None:
    rows = [("a", 0.5), ("b", "pos"), ("c", [1]), ("d", {"x": 1})]
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    texts = load_texts(path, strict=True)
    assert (texts.texts, texts.labels, texts.skipped) == (("a", "b", "c", "d"), (None, "pos", None, None), ())
    (note,) = texts.notes
    assert note.startswith("3 rows are read without a label")
    assert "--label-column names another" in note
    assert f"{path}, line 1: label '0.5' is neither a name nor a whole number" in note
    none = load_texts(write_jsonl(path, [("a", 0.5)]))
    assert none.labels is None
    assert none.notes[0].startswith("a row is read without a label")


@pytest.mark.parametrize(
    ("asked", "names", "index"),
    [
        ("pos", ["neg", "pos"], 1),
        ("POS", ["neg", "pos"], 1),
        ("1", ["neg", "pos"], 1),
        ("2", ["neg", "pos"], None),
        ("1", ["1", "2"], 0),
        ("0", ["1", "2"], None),
        ("us", ["US", "us"], 1),
        ("Us", ["US", "us"], None),
    ],
)
def test_the_class_that_a_person_asks_for(asked: str, names: list[str], index: int | None) -> None:
    assert class_index(asked, names) == index


names = st.lists(st.sampled_from(["0", "1", "2", "3", "neg", "Neg", "pos"]), unique=True, max_size=5)


@given(known=names.filter(lambda some: len(some) >= 2), found=names.filter(bool))
def test_a_label_that_is_a_name_is_never_read_as_another_class(known: list[str], found: list[str]) -> None:
    try:
        classes = Classes.matched(found, known, "d.csv")
    except FuzzsmoothError:
        return
    for label, index in classes.indices.items():
        assert known[index] == label or label not in known
    assert len({classes.indices[label] for label in found if label in known}) == len(set(found) & set(known))


def test_an_identifier_is_told_from_labels_without_delay(tmp_path: Path) -> None:
    def seconds(rows: int) -> float:
        path = write_csv(tmp_path / "ids.csv", [(f"text {n}", f"id{n:06}") for n in range(rows)])
        began = time.process_time()
        with pytest.raises(
            FuzzsmoothError, match=rf"{rows} different labels in {rows} rows .* an identifier"
        ):
            load_splits(str(path))
        return time.process_time() - began

    seconds(2000)
    # Ten times the rows would take a hundred times as long, were the time quadratic. The best of three: what
    # other tests have left in this process may be collected in the middle of one.
    assert min(seconds(20_000) for _ in range(3)) < 40 * max(seconds(2000), 0.01)


def test_many_classes_are_data_and_few_rows_of_each_a_note(tmp_path: Path) -> None:
    many = [(f"text {n}", f"intent {n % 1500}") for n in range(6000)]
    splits = load_splits(str(write_csv(tmp_path / "many.csv", many)))
    assert (len(splits.train.labels), splits.train.notes, len(splits.test)) == (1500, (), 1200)
    few = write_csv(tmp_path / "few.csv", [(f"text {n}", f"id{n}") for n in range(60)])
    (note,) = load_dataset_file(few).notes
    assert "60 different labels in 60 rows of column 'label'; is it an identifier?" in note
