"""Training and test texts: from one file, a folder, the built-in reviews, the real sets or the hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from data_files import ROWS, write_any, write_csv, write_jsonl

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.data import load_splits


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
