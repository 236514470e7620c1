"""Stratified samples: the class shares of a sample follow those of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def stratified_indices(targets: Sequence[int], size: int, rng: np.random.Generator) -> list[int]:
    """Draw row indices without replacement, each class in proportion (largest remainder).

    Args:
        targets: Class index of each row.
        size: How many, 0 <= size <= len(targets).
        rng: Where the choice comes from.

    Returns:
        Sorted indices; the count of a class is its exact share rounded down or up.
    """
    by_class = {label: np.flatnonzero(np.asarray(targets) == label) for label in sorted(set(targets))}
    shares = {label: size * len(rows) / len(targets) for label, rows in by_class.items()}
    counts = {label: int(share) for label, share in shares.items()}
    # Ties go to the larger class, so that the last row of a small class is the last to be drawn.
    order = sorted(shares, key=lambda label: (counts[label] - shares[label], -len(by_class[label]), label))
    for label in order[: size - sum(counts.values())]:
        counts[label] += 1
    chosen = [rng.permutation(rows)[: counts[label]] for label, rows in by_class.items()]
    return sorted(int(index) for index in np.concatenate(chosen))
