"""Data files of every format, for the tests of the loaders."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Dataset
from fuzzsmooth.data.labels import class_names
from fuzzsmooth.data.lines import local_path
from fuzzsmooth.data.rows import Reading
from fuzzsmooth.data.tables import read_table

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


def load_dataset_file(
    path: Path | str,
    *,
    text_column: str = "text",
    label_column: str = "label",
    labels: Sequence[str] | None = None,
    strict: bool = False,
) -> Dataset:
    """One labeled file, read as the parts of :func:`fuzzsmooth.data.load_splits` are."""
    table = read_table(local_path(path), (text_column, label_column))
    known = None if labels is None else class_names(labels)
    return Reading(text_column, label_column, strict).dataset(table, known)


def failure(path: Path | str, **options: Any) -> str:
    """The one sentence a file fails with."""
    with pytest.raises(FuzzsmoothError) as caught:
        load_dataset_file(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message
