"""Class names that a data set declares: an index stands for its name, whatever a model's order is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from data_files import failure, load_dataset_file

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import load_splits, load_texts

datasets = pytest.importorskip("datasets")
TEXTS = ["a fine film", "a dull film", "a great plot", "no label"]
INDICES = [0, 1, 0, -1]  # -1: a row without a label


def declared(names: list[str], indices: list[int] = INDICES) -> Any:
    """A data set with class names, as the hub has them."""
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=names))
    return datasets.Dataset.from_dict({"text": TEXTS[: len(indices)], "label": indices}, features)


def parquet(path: Path, names: list[str], indices: list[int] = INDICES) -> Path:
    declared(names, indices).to_parquet(path)
    return path


def arrow(path: Path, names: list[str], indices: list[int] = INDICES) -> Path:
    declared(names, indices).save_to_disk(path.parent / "saved")
    (path.parent / "saved" / "data-00000-of-00001.arrow").rename(path)
    return path


FORMS = [("d.parquet", parquet), ("d.arrow", arrow)]


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_the_names_of_a_file_are_its_classes(tmp_path: Path, name: str, write: Any) -> None:
    dataset = load_dataset_file(write(tmp_path / name, ["pos", "neg"]))
    assert (dataset.labels, dataset.targets) == (("pos", "neg"), [0, 1, 0])
    (sentence,) = dataset.skipped
    assert "row 4: label '-1' is out of range; the classes are pos, neg" in sentence


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_names_are_matched_to_a_model_by_name(tmp_path: Path, name: str, write: Any) -> None:
    path = write(tmp_path / name, ["pos", "neg"])
    dataset = load_dataset_file(path, labels=["NEG", "POS"])
    assert [dataset.labels[index] for index in dataset.targets] == ["POS", "NEG", "POS"]
    assert load_texts(path).labels == ("pos", "neg", "pos", None)
    assert load_texts(path).targets(["neg", "pos"]) == [1, 0, 1, None]
    assert "classes good, bad" in failure(path, labels=["good", "bad"])


def test_a_model_without_names_takes_them_by_position_and_says_so(tmp_path: Path) -> None:
    path = parquet(tmp_path / "d.parquet", ["pos", "neg"])
    dataset = load_dataset_file(path, labels=["LABEL_0", "LABEL_1"])
    assert dataset.targets == [0, 1, 0]
    (note,) = dataset.notes
    assert "it is assumed that LABEL_0 is 'pos', LABEL_1 is 'neg'" in note
    three = parquet(tmp_path / "three.parquet", ["pos", "neg", "none"])
    assert "classes neg, none, pos" in failure(three, labels=["LABEL_0", "LABEL_1"])


def test_names_that_only_repeat_their_indices_say_nothing(tmp_path: Path) -> None:
    path = parquet(tmp_path / "d.parquet", ["0", "1"])
    assert load_dataset_file(path).labels == ("0", "1")
    assert load_dataset_file(path, labels=["neg", "pos"]).targets == [0, 1, 0]


def test_names_are_those_of_an_integer_column_only(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(parquet(tmp_path / "d.parquet", ["pos", "neg"]))
    named = table.set_column(1, "label", pa.array(["neg", "neg", "pos", "pos"]))
    pq.write_table(named.replace_schema_metadata(table.schema.metadata), tmp_path / "d.parquet")
    dataset = load_dataset_file(tmp_path / "d.parquet")
    assert (dataset.labels, dataset.targets) == (("neg", "pos"), [0, 0, 1, 1])


@pytest.mark.parametrize(
    "metadata",
    [
        b"{",
        b"[" * 100_000,
        b"[]",
        b'{"info": 3}',
        b'{"info": {"features": [1]}}',
        b'{"info": {"features": {"label": 3}}}',
        b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": [1, 2]}}}}',
        b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": "ab"}}}}',
    ],
)
def test_metadata_that_makes_no_sense_declares_nothing(tmp_path: Path, metadata: bytes) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(parquet(tmp_path / "d.parquet", ["pos", "neg"]))
    pq.write_table(table.replace_schema_metadata({b"huggingface": metadata}), tmp_path / "d.parquet")
    assert load_dataset_file(tmp_path / "d.parquet").labels == ("0", "1")


def test_a_hub_data_set_is_matched_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = datasets.DatasetDict(
        train=declared(["pos", "neg"]), validation=declared(["neg", "pos"], [0, 1, 1])
    )
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: splits)
    found = load_splits("owner/name", labels=["neg", "pos"])
    assert [found.train.labels[index] for index in found.train.targets] == ["pos", "neg", "pos"]
    # The parts of a data set may differ in their order too.
    alone = load_splits("owner/name")
    assert (alone.train.labels, alone.test.targets) == (("pos", "neg"), [1, 0, 0])
    with pytest.raises(FuzzsmoothError, match="classes neg, pos, none of which"):
        load_splits("owner/name", labels=["entailment", "contradiction"])
