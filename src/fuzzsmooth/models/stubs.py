"""Classifiers with known probabilities, for exact tests of guarantees and for examples. NumPy only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.protocol import Classifier, Probabilities, declares_deterministic


class AdditiveClassifier:
    """A binary logistic model over whitespace-separated units: log-odds = bias + sum of the units' weights.

    Args:
        weights: Unit to weight; units not listed weigh 0, repeated ones count each time.
        bias: Log-odds of the second class for the empty text.
        labels: The two class names.
    """

    deterministic = True

    def __init__(
        self,
        weights: Mapping[str, float],
        bias: float = 0.0,
        labels: Sequence[str] = ("negative", "positive"),
    ) -> None:
        self.weights = dict(weights)
        self.bias = float(bias)
        self.labels = tuple(labels)
        if len(self.labels) != 2:
            raise FuzzsmoothError(f"an additive classifier has two labels, got {len(self.labels)}")

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of weights, bias and labels."""
        return _hash("additive", sorted(self.weights.items()), self.bias, self.labels)

    def log_odds(self, text: str) -> float:
        """Log-odds of the second class."""
        return self.bias + sum(self.weights.get(unit, 0.0) for unit in text.split())

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Class probabilities, shape (len(texts), 2)."""
        odds = np.array([self.log_odds(text) for text in texts], dtype=np.float64)
        # log sigmoid by logaddexp: no overflow for any weight.
        second = np.exp(-np.logaddexp(0.0, -odds))
        return np.stack([np.exp(-np.logaddexp(0.0, odds)), second], axis=1)


class TriggerClassifier:
    """A backdoored classifier: the target class iff all trigger units are present, else the base's answer.

    Args:
        base: Answers texts without the trigger.
        trigger_units: Whitespace-separated units that must all be present, at any place; at least one.
        target: Index of the attacker's class.
        confidence: Probability of the target on triggered texts, in (1/classes, 1]; the other classes share
            the rest evenly.
    """

    def __init__(
        self, base: Classifier, trigger_units: Sequence[str], target: int, confidence: float = 0.99
    ) -> None:
        self.base = base
        self.trigger_units = frozenset(trigger_units)
        self.target = target
        self.confidence = float(confidence)
        classes = len(base.labels)
        if not self.trigger_units:
            raise FuzzsmoothError("a trigger needs at least one unit")
        if not 0 <= target < classes:
            raise FuzzsmoothError(f"the target class is {target}, expected 0 to {classes - 1}")
        if not 1 / classes < self.confidence <= 1:
            raise FuzzsmoothError(
                f"the confidence is {confidence}, expected more than 1/{classes} and at most 1"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names of the base."""
        return self.base.labels

    @property
    def deterministic(self) -> bool:
        """Whether the base is."""
        return declares_deterministic(self.base)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the base and the backdoor."""
        return _hash(
            "trigger", self.base.fingerprint, sorted(self.trigger_units), self.target, self.confidence
        )

    def is_triggered(self, text: str) -> bool:
        """Whether all trigger units are in the text."""
        return self.trigger_units.issubset(text.split())

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Class probabilities, shape (len(texts), len(labels))."""
        result = self.base.probabilities(texts).copy()
        triggered = np.full(len(self.labels), (1 - self.confidence) / (len(self.labels) - 1))
        triggered[self.target] = self.confidence
        for index, text in enumerate(texts):
            if self.is_triggered(text):
                result[index] = triggered
        return result


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
