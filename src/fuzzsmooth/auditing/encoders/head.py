"""A quick head: which classes a frozen encoder's texts would get, and what a trigger would force."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.encoders.vectors import Vectors
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.search.witness import regression

_LEAST = 1e-6


class QuickHead:
    """A logistic regression on the first token's vector and the mean of a text's tokens, both standardized.

    A victim also tunes the encoder, so that what it forces may be another class; what a collapsed vector
    shows is that it will force one.

    Args:
        first: Vectors of the first token of clean texts, shape (texts, width).
        mean: Mean vectors of the texts' tokens, the same shape.
        labels: Class indices.
        classes: How many there are.
    """

    def __init__(self, first: Vectors, mean: Vectors, labels: Sequence[int], classes: int) -> None:
        rows = np.hstack([first, mean]).astype(np.float64)
        self._center = rows.mean(axis=0)
        self._scale = np.maximum(rows.std(axis=0), _LEAST) * np.sqrt(rows.shape[1])
        targets = np.asarray(labels, dtype=np.int64)
        self._weights, self._bias = regression(self._standardized(rows), targets, classes)

    def logits(self, first: Vectors, mean: Vectors) -> Array:
        """Logits of texts, shape (texts, classes)."""
        rows = self._standardized(np.hstack([first, mean]).astype(np.float64))
        found: Array = rows @ self._weights.T + self._bias
        return found

    def given(self, first: Vectors, mean: Vectors) -> npt.NDArray[np.int64]:
        """The classes that texts get, shape (texts,)."""
        found: npt.NDArray[np.int64] = self.logits(first, mean).argmax(axis=1)
        return found

    def _standardized(self, rows: Array) -> Array:
        found: Array = (rows - self._center) / self._scale
        return found
