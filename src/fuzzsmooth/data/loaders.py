"""Labeled data from any source, and plain texts to classify.

A row that cannot be used is left out and recorded in ``skipped`` with its number and what to do about it;
``strict=True`` raises at the first one instead.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.builtin.reviews import reviews
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.data.labels import class_names
from fuzzsmooth.data.lines import decode_lines, local_path, read_bytes
from fuzzsmooth.data.records import Row, Table
from fuzzsmooth.data.remote import is_remote, local_name, read_remote
from fuzzsmooth.data.rows import Reading, TextInput
from fuzzsmooth.data.sources import BUILTIN, check_source, one_table, tables
from fuzzsmooth.data.stratify import stratified_indices
from fuzzsmooth.data.tables import any_table, check_suffix, parse_table
from fuzzsmooth.data.wording import shown

_MOST_TEXTS = 1_000_000_000


def load_splits(
    source: str,
    *,
    text_column: str = "text",
    label_column: str = "label",
    test_fraction: float = 0.2,
    labels: Sequence[str] | None = None,
    strict: bool = False,
    seed: int = 0,
    train_size: int | None = None,
    test_size: int | None = None,
) -> Splits:
    """Training and test data from any source.

    Args:
        source: ``builtin:reviews``; a csv, tsv, jsonl, ndjson, json, parquet or arrow file, split at random;
            a folder with ``train.*`` and one of ``dev.*``, ``validation.*``, ``test.*`` (the first there is,
            named by ``Dataset.name``), or with such parts as `datasets` and the hub write them; or a Hugging
            Face data set, "name" or "name:configuration".
        text_column: Name of the column with texts.
        label_column: Name of the column with labels: class names or whole numbers >= 0.
        test_fraction: Share held out of each class when the source has one part only, in (0, 1).
        labels: Class names, if known; labels are matched to them by name, or by index where none is a name.
            Without them, the classes are those that the data set declares, or the labels of the training rows
            (numbers in order, names sorted).
        strict: Raise at the first bad row instead of leaving it out.
        seed: Seed of the split and of the samples, or of the built-in corpus.
        train_size: Keep a stratified sample of this size, or generate as many built-in reviews (2000).
        test_size: The same for the test part (400).

    Raises:
        FuzzsmoothError: One sentence on what is wrong, where, and how to mend it.
        MissingExtraError: If parquet or hub data needs the extra ``data``.
    """
    require(0 < test_fraction < 1, f"test_fraction must lie between 0 and 1, got {test_fraction}")
    require(seed >= 0, f"the seed must not be negative, got {seed}")
    for name, size in (("train_size", train_size), ("test_size", test_size)):
        require(
            size is None or 1 <= size <= _MOST_TEXTS,
            f"{name} must lie between 1 and {_MOST_TEXTS:,}, got {size}",
        )
    known = None if labels is None else class_names(labels)
    if source.startswith("builtin:"):
        check_source(source)
        require(labels is None, f"{BUILTIN} has its own classes, negative and positive; give no labels")
        given = {"train_size": train_size, "test_size": test_size}
        return reviews(**{name: size for name, size in given.items() if size is not None}, seed=seed)
    train, test = tables(source, (text_column, label_column))
    reading = Reading(text_column, label_column, strict)
    dataset = reading.dataset(train, known)
    if test is None:
        splits = _split(dataset, test_fraction, seed)
    else:
        splits = Splits(dataset, reading.dataset(test, dataset.labels))
    splits = Splits(_sample(splits.train, train_size, seed, 0), _sample(splits.test, test_size, seed, 1))
    require(
        len(set(splits.train.targets)) >= 2,
        f"{splits.train.name} has one class only ({_only_class(splits.train)}); training needs two or more",
    )
    return splits


def load_texts(
    path: str | Path,
    *,
    text_column: str = "text",
    label_column: str = "label",
    strict: bool = False,
    stdin_format: Literal["txt", "csv", "tsv", "jsonl"] = "txt",
) -> TextInput:
    """Texts to classify; an empty text is kept, because it can be classified.

    Args:
        path: A csv, tsv, jsonl, ndjson, json, parquet or arrow file, a .txt file with one text a line, a
            folder of one data set as `datasets` saves it, the URL of such a file as fsspec understands it, or
            "-" for standard input.
        text_column: Name of the column with texts.
        label_column: Name of the column with labels, used if it is there.
        strict: Raise at the first bad row instead of leaving it out.
        stdin_format: How to read standard input.

    Raises:
        FuzzsmoothError: One sentence on what is wrong, where, and how to mend it.
    """
    reading = Reading(text_column, label_column, strict)
    if str(path) == "-":
        content = sys.stdin.buffer.read()
        require(
            bool(content.removeprefix(codecs.BOM_UTF8).strip()),
            "standard input is empty; give it at least one text",
        )
        if stdin_format == "txt":
            return reading.texts(_lines_table(content, "standard input", text_column))
        return reading.texts(parse_table(content, f".{stdin_format}", "standard input"))
    if is_remote(str(path)):
        name, suffix = str(path), PurePosixPath(str(path)).suffix.lower()
        if suffix == ".txt":
            return reading.texts(_lines_table(read_remote(name), name, text_column))
        check_suffix(suffix, name)
        return reading.texts(any_table(read_remote(name), suffix, name, (text_column, label_column)))
    file = local_path(local_name(str(path)))
    if file.suffix.lower() == ".txt":
        return reading.texts(_lines_table(read_bytes(file), str(file), text_column))
    return reading.texts(one_table(file, (text_column, label_column)))


def _lines_table(content: bytes, source: str, column: str) -> Table:
    """One text a line."""
    lines = decode_lines(content, source)
    rows = [
        Row(index + 1, f"line {index + 1}", {column: line.rstrip("\r\n")}, lines.problem(index, index + 1))
        for index, line in enumerate(lines.lines)
    ]
    return Table(source, (column,), tuple(rows))


def _split(dataset: Dataset, fraction: float, seed: int) -> Splits:
    """Hold out a share of each class, at least one row."""
    size = max(1, round(fraction * len(dataset)))
    chosen = set(stratified_indices(dataset.targets, size, generator(seed, "split")))
    parts: tuple[list[Example], list[Example]] = ([], [])
    for index, example in enumerate(dataset.examples):
        parts[index in chosen].append(example)
    require(
        bool(parts[0]), f"{dataset.name} has too few rows to split; add rows or give a folder with a dev file"
    )
    return Splits(
        Dataset(f"{dataset.name}[train]", dataset.labels, tuple(parts[0]), dataset.skipped, dataset.notes),
        Dataset(f"{dataset.name}[test]", dataset.labels, tuple(parts[1])),
    )


def _sample(dataset: Dataset, size: int | None, seed: int, part: int) -> Dataset:
    if size is None or size >= len(dataset):
        return dataset
    chosen = stratified_indices(dataset.targets, size, generator(seed, "sample", part))
    return dataset.with_examples([dataset.examples[index] for index in chosen])


def _only_class(dataset: Dataset) -> str:
    return shown(dataset.labels[dataset.targets[0]])
