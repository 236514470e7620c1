"""The order of training texts: shuffled by counter, texts of similar length side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from fuzzsmooth.common.randomness import generator

GROUP_BATCHES = 20
"""Texts are sorted by length within groups of this many batches: little padding, still a random order."""


class LengthGroupedOrder(Sampler[tuple[int, int]]):
    """Yields (epoch, index) pairs; each epoch's order is a function of (seed, epoch) alone.

    Keys carry the epoch so that whatever is drawn per epoch (text noise) needs no shared state, also in
    worker processes and after a restart in the middle of an epoch.

    Args:
        lengths: Token count of each text.
        batch_size: Texts per batch.
        seed: The user's seed.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order the next iteration gives."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self._epoch
        for index in grouped_order(self._lengths, self._batch_size, generator(self._seed, "order", epoch)):
            yield epoch, index


def grouped_order(
    lengths: Sequence[int] | np.ndarray, batch_size: int, rng: np.random.Generator
) -> list[int]:
    """A permutation of the indices whose consecutive batches hold texts of similar length.

    Args:
        lengths: Token count of each text, shape (texts,).
        batch_size: Texts per batch; all batches but the last are full.
        rng: Source of the shuffles.

    Returns:
        The indices, batch after batch; the batch that is not full comes last.
    """
    sizes = np.asarray(lengths)
    shuffled = rng.permutation(len(sizes))
    group = batch_size * GROUP_BATCHES
    full: list[np.ndarray] = []
    rest: list[np.ndarray] = []
    for start in range(0, len(shuffled), group):
        chosen = shuffled[start : start + group]
        chosen = chosen[np.argsort(sizes[chosen], kind="stable")]
        for begin in range(0, len(chosen), batch_size):
            batch = chosen[begin : begin + batch_size]
            (full if len(batch) == batch_size else rest).append(batch)
    ordered = [full[position] for position in rng.permutation(len(full))] + rest
    return [int(index) for batch in ordered for index in batch]
