"""Data of strangers, damaged at random: read or refused with a sentence, never a traceback."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from hostile_data import columnar, delimited, folders, json_documents
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.data import load_splits, load_texts
from hostile_inputs import hostile
from hostile_runs import saved, survives

How = dict[str, Any]
Split = dict[str, Any] | None


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """How a file is read; mostly as it should be."""
    how = {"text_column": "text", "label_column": "label", "strict": draw(st.integers(0, 9)) == 0}
    if draw(st.integers(0, 5)) == 0:
        how["text_column"] = draw(st.sampled_from(("label", "", "x", "\ud800")))
    if draw(st.integers(0, 5)) == 0:
        how["label_column"] = draw(st.sampled_from(("text", "none", "\x00", "\ud800")))
    return how


@st.composite
def splitting(draw: st.DrawFn) -> dict[str, Any]:
    """How it is split."""
    classes = (None, None, None, None, ("neg", "pos"), ("0", "1"), ("LABEL_0", "LABEL_1"), ("b", "a"))
    return {
        "labels": draw(st.sampled_from(classes)),
        "test_fraction": draw(st.sampled_from((0.2, 0.5, 0.99, 1e-9))),
        "train_size": draw(st.sampled_from((None, None, 1, 2, 10**9))),
        "test_size": draw(st.sampled_from((None, None, 1, 3))),
        "seed": draw(st.sampled_from((0, 1, 2**63))),
    }


READ = (options(), st.none() | splitting())


def contents(path: Path) -> list[tuple[str, str]]:
    """Every file with its hash."""
    files = sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    return [(str(file), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]


def read_all(path: Path, how: How, split: Split) -> None:
    """Read a source as it is read for training, or as texts; and look at all that came out."""
    before = contents(path)
    try:
        if split is None:
            texts = load_texts(path, **how)
            assert len(texts) == len(texts.rows) >= 1
            assert texts.labels is None or len(texts.labels) == len(texts)
            targets = texts.targets(("neg", "pos"))
            assert targets is None or set(targets) <= {None, 0, 1}
            found = texts.texts
        else:
            splits = load_splits(str(path), **how, **split)
            assert len(splits.train) >= 1
            assert len(splits.test) >= 1
            for part in (splits.train, splits.test):
                assert all(0 <= target < len(part.labels) for target in part.targets)
                assert all(text.strip() for text in part.texts)
                assert len(part.fingerprint) == 64
            found = (*splits.train.texts, *splits.test.texts)
        assert all(isinstance(text, str) and "\0" not in text for text in found)
        "".join(found).encode("utf-8")
    finally:
        assert contents(path) == before, "what is read is never changed"


def check(name: str, content: bytes, how: How, split: Split, *, apart: bool = False) -> None:
    def read(folder: Path) -> None:
        (folder / name).write_bytes(content)
        read_all(folder / name, how, split)

    survives(read, apart=apart)


@hostile("delimited data")
@given(st.data(), *READ)
def test_delimited(data: st.DataObject, how: How, split: Split) -> None:
    ending = data.draw(st.sampled_from((".csv", ".csv", ".tsv", ".tsv", ".txt")))
    content = data.draw(delimited(ending))
    if ending == ".txt":
        split = None  # one text a line is not for training
    saved(f"a{ending}", lambda path: read_all(path, how, split))(content)


@hostile("json data")
@given(
    json_documents(), st.sampled_from(("a.jsonl", "a.json", "a.ndjson")), options(), st.none() | splitting()
)
def test_json(content: bytes, name: str, how: How, split: Split) -> None:
    saved(name, lambda path: read_all(path, how, split))(content)


@hostile("columnar data")
@given(st.data(), *READ)
def test_columnar(data: st.DataObject, how: How, split: Split) -> None:
    parquet = data.draw(st.booleans())
    name = "a.parquet" if parquet else "a.arrow"
    read = saved(name, lambda path: read_all(path, how, split), apart=True)
    read(data.draw(columnar(parquet=parquet)))


@hostile("folders of data")
@given(folders(), options(), st.one_of(splitting(), splitting(), splitting(), st.none()))
def test_folders(files: dict[str, bytes | None], how: How, split: Split) -> None:
    def read(folder: Path) -> None:
        source = folder / "source"
        source.mkdir()
        for name, content in files.items():
            place = source / name
            if any(one.is_file() for one in place.parents) or place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                place.mkdir()
            else:
                place.write_bytes(content)
        read_all(source, how, split)

    survives(read, apart=True)
