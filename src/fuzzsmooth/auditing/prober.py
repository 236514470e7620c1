"""Asking the audited model, and counting what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.models.protocol import Logits, TokenClassifier

Array: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = Sequence[npt.NDArray[np.int64]]

_CHUNK = 4096  # rows asked at once: enough for batches of one length, few enough to see progress


class Prober:
    """Log-odds of token sequences under a model.

    Args:
        classifier: The audited model.

    Attributes:
        classifier: The same.
        classes: How many classes it has.
        passes: Sequences evaluated so far.
        backward: Sequences that a gradient was taken of.
    """

    def __init__(self, classifier: TokenClassifier) -> None:
        self.classifier = classifier
        together = getattr(classifier, "side_by_side", None)
        self._asked: TokenClassifier = classifier if together is None else together()
        self.classes = len(classifier.labels)
        self.passes = 0
        self.backward = 0

    def logits(self, rows: Rows, advance: Callable[[int], None] | None = None) -> Logits:
        """Logits, shape (rows, classes)."""
        found = [np.zeros((0, self.classes), np.float32)]
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            found.append(self._asked.logits(chunk))
            if advance is not None:
                advance(len(chunk))
        self.passes += len(rows)
        return np.concatenate(found)

    def gains(self, rows: Rows, hosts: Sequence[Host]) -> tuple[Array, npt.NDArray[np.int64]]:
        """How much each class gains where a row stands in the place of its host.

        Args:
            rows: Token ids, one row for each host.
            hosts: The texts as they were.

        Returns:
            Gains in log-odds (nats), shape (rows, classes), and the classes that are given, shape (rows,).
        """
        logits = self.logits(rows)
        before = np.array([host.logits for host in hosts]).reshape(-1, self.classes)
        return log_odds(logits) - log_odds(before), logits.argmax(axis=1)


def log_odds(logits: npt.NDArray[np.floating]) -> Array:
    """ln(p / (1 - p)) of each class from logits whose last axis are the classes; finite for any logits."""
    values = logits.astype(np.float64)
    result = np.empty_like(values)
    for label in range(values.shape[-1]):
        others = np.delete(values, label, axis=-1)
        result[..., label] = values[..., label] - logsumexp(others, axis=-1)
    return result
