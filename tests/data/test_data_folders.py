"""Folders as `datasets` and the hub lay them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from data_files import ROWS, write_csv

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import load_splits, load_texts

datasets = pytest.importorskip("datasets")


def declared(rows: list[tuple[str, int]]) -> Any:
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["b", "a"]))
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    return datasets.Dataset.from_dict(columns, features)


def refused(folder: Path) -> str:
    with pytest.raises(FuzzsmoothError) as caught:
        load_splits(str(folder))
    return str(caught.value)


def test_a_saved_data_set_dict(tmp_path: Path) -> None:
    parts = datasets.DatasetDict(train=declared(ROWS), test=declared(ROWS[:3]))
    parts.save_to_disk(tmp_path, num_shards={"train": 3, "test": 1})
    splits = load_splits(str(tmp_path))
    assert [(one.text, one.label) for one in splits.train] == ROWS
    assert [(one.text, one.label) for one in splits.test] == ROWS[:3]
    assert splits.train.labels == ("b", "a")
    assert (splits.train.name, splits.test.name) == (str(tmp_path / "train"), str(tmp_path / "test"))


def test_a_saved_data_set(tmp_path: Path) -> None:
    declared([*ROWS, ("", 0)]).save_to_disk(tmp_path, num_shards=2)
    splits = load_splits(str(tmp_path))
    assert (len(splits.train), len(splits.test)) == (16, 4)
    assert splits.train.skipped[0].startswith(f"{tmp_path}, data-00001-of-00002.arrow, row ")
    texts = load_texts(tmp_path)
    assert texts.texts == (*(text for text, _ in ROWS), "")
    assert texts.rows == tuple(range(1, 22))
    assert texts.labels == (*("ba"[label] for _, label in ROWS), "b")


def test_a_saved_data_set_that_is_not_whole(tmp_path: Path) -> None:
    declared(ROWS).save_to_disk(tmp_path, num_shards=3)
    (tmp_path / "data-00001-of-00003.arrow").unlink()
    assert "has 2 of the 3 files of 'data'" in refused(tmp_path)
    for file in tmp_path.glob("*.arrow"):
        file.unlink()
    assert "state.json but no .arrow file" in refused(tmp_path)
    (tmp_path / "state.json").write_text(json.dumps({"_indices_data_files": [{"filename": "i.arrow"}]}))
    assert "old versions" in refused(tmp_path)
    (tmp_path / "state.json").write_text("[" * 100_000)
    assert "state.json is not JSON" in refused(tmp_path)


@pytest.mark.parametrize("folder", [".", "data"])
def test_shards_as_the_hub_has_them(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir(exist_ok=True)
    declared(ROWS[:12]).to_parquet(place / "train-00000-of-00002.parquet")
    declared([*ROWS[12:], ("", 1)]).to_parquet(place / "train-00001-of-00002.parquet")
    # As older versions named them, with a hash.
    declared(ROWS[:3]).to_parquet(place / "validation-00000-of-00001-0123456789abcdef.parquet")
    (tmp_path / "README.md").touch()
    splits = load_splits(str(tmp_path))
    assert [(one.text, one.label) for one in splits.train] == ROWS
    assert [(one.text, one.label) for one in splits.test] == ROWS[:3]
    assert splits.train.labels == ("b", "a")
    (sentence,) = splits.train.skipped
    assert "train-00001-of-00002.parquet, row 9: its text is empty" in sentence
    write_csv(place / "train.csv", ROWS)
    assert "train.csv and " in refused(tmp_path)
    (place / "train.csv").unlink()
    (place / "train-00000-of-00002.parquet").unlink()
    assert "has 1 of the 2 files of 'train'" in refused(tmp_path)


def test_shards_of_two_data_sets(tmp_path: Path) -> None:
    declared(ROWS).to_parquet(tmp_path / "train-00000-of-00002.parquet")
    datasets.Dataset.from_dict({"text": ["x"], "label": ["b"]}).to_parquet(
        tmp_path / "train-00001-of-00002.parquet"
    )
    declared(ROWS).to_parquet(tmp_path / "test-00000-of-00001.parquet")
    assert "has other columns or class names" in refused(tmp_path)


def test_a_folder_without_data_names_the_forms(tmp_path: Path) -> None:
    message = refused(tmp_path)
    for form in ("train.csv", "train-00000-of-00001.parquet", "'data'", "save_to_disk"):
        assert form in message
    with pytest.raises(FuzzsmoothError, match=r"has no ending|is a folder"):
        load_texts(tmp_path)
