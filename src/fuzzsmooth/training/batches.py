"""An endless stream of training batches, for loops the ``Trainer`` does not cover."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch

from fuzzsmooth.training.examples import TrainingTexts
from fuzzsmooth.training.order import LengthGroupedOrder


def endless_batches(
    texts: TrainingTexts, batch_size: int, seed: int, device: torch.device
) -> Iterator[dict[str, torch.Tensor]]:
    """Batches epoch after epoch, each epoch in a fresh order; never ends and never repeats a stale batch.

    Args:
        texts: The texts.
        batch_size: Texts per batch; the last of an epoch may be smaller.
        seed: With the epoch it decides the order.
        device: Where the tensors go.

    Yields:
        What :meth:`TrainingTexts.collate` gives, ``labels`` included.
    """
    order = LengthGroupedOrder(texts.lengths, batch_size, seed)
    for epoch in count():
        order.set_epoch(epoch)
        keys = list(order)
        for start in range(0, len(keys), batch_size):
            batch = texts.collate([texts[key] for key in keys[start : start + batch_size]])
            yield {name: value.to(device) for name, value in batch.items()}
