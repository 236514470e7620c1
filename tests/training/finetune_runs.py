"""Reviews that a tiny model learns in seconds, and how fine-tuned models are compared."""

from __future__ import annotations

import numpy as np
import torch

from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.training import FinetuneOptions

GOOD = ["fine", "great", "superb", "warm"]
BAD = ["dull", "awful", "weak", "cold"]
FILLER = ["the", "film", "is", "a", "very", "plot", "and", "cast"]
FAST = FinetuneOptions(epochs=3, learning_rate=3e-3, batch_size=16, precision="float32")


def reviews(size: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(size):
        label = int(rng.integers(2))
        words = [*rng.choice(FILLER, size=rng.integers(2, 9)), str(rng.choice((BAD, GOOD)[label]))]
        rows.append(Example(" ".join(rng.permutation(words)), label))
    return Dataset("reviews", ("bad", "good"), tuple(rows))


def weights(classifier: HuggingFaceClassifier) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in classifier.model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


class Killed(Exception):  # noqa: N818
    """A kill in the middle of training."""


def killed_at(step: int):
    def progress(done: int, total: int) -> None:
        if done == step:
            raise Killed

    return progress
