"""Stratified samples: the class shares of a sample follow those of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example


def stratified_indices(targets: Sequence[int], size: int, rng: np.random.Generator) -> list[int]:
    """Draw row indices without replacement, each class in proportion (largest remainder).

    Args:
        targets: Class index of each row.
        size: How many, 0 <= size <= len(targets).
        rng: Where the choice comes from.

    Returns:
        Sorted indices; the count of a class is its exact share rounded down or up.
    """
    order = np.argsort(np.asarray(targets), kind="stable")
    labels, starts = np.unique(np.asarray(targets)[order], return_index=True)
    by_class = dict(zip(labels.tolist(), np.split(order, starts[1:]), strict=True))
    shares = {label: size * len(rows) / len(targets) for label, rows in by_class.items()}
    counts = {label: int(share) for label, share in shares.items()}
    # Ties go to the larger class, so that the last row of a small class is the last to be drawn.
    ranked = sorted(shares, key=lambda label: (counts[label] - shares[label], -len(by_class[label]), label))
    for label in ranked[: size - sum(counts.values())]:
        counts[label] += 1
    chosen = [rng.permutation(rows)[: counts[label]] for label, rows in by_class.items()]
    return sorted(int(index) for index in np.concatenate(chosen))


def keep_back(dataset: Dataset, size: int, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Split a data set into what is trained on and what is kept back, each class in proportion.

    Args:
        dataset: The texts.
        size: How many are kept back, >= 1.
        seed: Decides which.

    Returns:
        What is trained on, and what is kept back.

    Raises:
        FuzzsmoothError: If that leaves fewer than half of the texts to train on.
    """
    require(
        2 * size <= len(dataset),
        f"{size} texts kept back for thresholds leave fewer than half of the {len(dataset)} of "
        f"{dataset.name} to train on; keep back fewer, or add texts",
    )
    chosen = set(stratified_indices(dataset.targets, size, generator(seed, "kept back")))
    parts: tuple[list[Example], list[Example]] = ([], [])
    for index, example in enumerate(dataset):
        parts[index in chosen].append(example)
    return dataset.with_examples(parts[0]), dataset.with_examples(parts[1])
