"""Which texts are trained on and which are held out to measure on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import Dataset, Splits, load_splits
from fuzzsmooth.data.lines import local_path
from fuzzsmooth.data.stratify import stratified_indices

_SHARE, _MOST = 0.2, 200  # where nothing else is asked for


def hold_out(source: str, holdout: float | None, columns: Mapping[str, Any]) -> Splits:
    """Clean data with the texts that are measured on apart.

    A source with a test part of its own keeps it: some of it is measured on. Of a file, which has none, texts
    of each class are held out, and all others are trained on.

    Args:
        source: As in :func:`fuzzsmooth.data.load_splits`.
        holdout: A share below 1, or a number of texts; None for 20 %, at most 200.
        columns: Further arguments of :func:`fuzzsmooth.data.load_splits`.

    Raises:
        FuzzsmoothError: If the data cannot be read, or too few texts are left.
    """
    require(
        holdout is None or holdout < 1 or float(holdout).is_integer(),
        f"holdout must be a share below 1 or a whole number of texts, got {holdout}",
    )
    splits = load_splits(source, **columns)
    one_part = not source.startswith("builtin:") and local_path(source).is_file()
    pool = _whole(splits) if one_part else splits.test
    size = _size(holdout, len(pool), own_part=not one_part)
    require(
        size < len(pool) or not one_part,
        f"holdout {holdout:g} leaves none of the {len(pool)} texts of {pool.name} to train on; hold out fewer"
        if holdout is not None
        else f"{pool.name} has too few texts to hold any out; add some",
    )
    chosen = set(stratified_indices(pool.targets, min(size, len(pool)), generator(0, "holdout")))
    test = [example for index, example in enumerate(pool.examples) if index in chosen]
    if not one_part:
        return Splits(splits.train, pool.with_examples(test))
    train = pool.with_examples([one for index, one in enumerate(pool.examples) if index not in chosen])
    require(
        len(set(train.targets)) > 1,
        f"{pool.name}: the texts that are not held out have one class; hold out fewer, or add texts",
    )
    # What was assumed of the file is told once.
    return Splits(train, Dataset(f"{pool.name}[held out]", pool.labels, tuple(test)))


def _whole(splits: Splits) -> Dataset:
    """A file that was split, in one again."""
    train = splits.train
    return Dataset(
        train.name.removesuffix("[train]"),
        train.labels,
        train.examples + splits.test.examples,
        train.skipped,
        train.notes,
    )


def _size(holdout: float | None, texts: int, *, own_part: bool) -> int:
    if holdout is None:
        return min(texts if own_part else max(1, round(_SHARE * texts)), _MOST)
    return max(1, round(holdout * texts)) if holdout < 1 else int(holdout)
