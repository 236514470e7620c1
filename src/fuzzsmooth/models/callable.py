"""Any function from texts to probabilities as a classifier."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.texts import checked_texts
from fuzzsmooth.models.protocol import Probabilities

SUM_TOLERANCE = 1e-3
"""How far a row of probabilities may be from summing to 1; it is then normalized exactly."""


class CallableClassifier:
    """Wraps a function, so that models behind an API or of another library can be smoothed.

    Args:
        function: Takes a list of texts and returns probabilities of shape (texts, classes). A text's row must
            not depend on the other texts.
        labels: Class names, in column order, at least two.
        name: Names the function in results and caches, because code has no hash: give a new name whenever
            its answers change.
        deterministic: Whether the function gives the same probabilities for the same text whenever it is
            asked,
            up to ties. Say so only if it does: a sampled completion, a model in training mode, or a service
            that balances over several models does not. Certificates without draws, and exact ones, are about
            such functions alone.

    Raises:
        FuzzsmoothError: If the labels are fewer than two or repeat.
    """

    def __init__(
        self,
        function: Callable[[list[str]], npt.ArrayLike],
        labels: Sequence[str],
        name: str = "callable",
        *,
        deterministic: bool = False,
    ) -> None:
        self._function = function
        self.deterministic = deterministic
        self.name = name
        self.labels = tuple(str(label) for label in labels)
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise FuzzsmoothError(
                f"{name} needs at least two distinct labels, got {', '.join(self.labels) or 'none'}"
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the name and the labels."""
        return hashlib.sha256("\0".join(("callable", self.name, *self.labels)).encode()).hexdigest()

    def probabilities(self, texts: Iterable[str]) -> Probabilities:
        """What the function returns, checked, shape (len(texts), len(labels)).

        Raises:
            FuzzsmoothError: If it is not an array of that shape with finite, non-negative rows that sum to 1.
        """
        listed = checked_texts(texts)
        shape = (len(listed), len(self.labels))
        if not listed:
            return np.empty(shape)
        try:
            values = np.asarray(self._function(listed), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise FuzzsmoothError(f"{self.name} did not return an array of numbers ({error})") from error
        if values.shape != shape:
            raise FuzzsmoothError(
                f"{self.name} returned shape {values.shape}, expected {shape} (texts, labels)"
            )
        self._check_rows(values)
        result: Probabilities = values / values.sum(axis=1, keepdims=True)
        return result

    def _check_rows(self, values: Probabilities) -> None:
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise FuzzsmoothError(f"{self.name} returned a value that is not finite for text {row}")
        if (values < 0).any():
            row = int(np.flatnonzero((values < 0).any(axis=1))[0])
            raise FuzzsmoothError(
                f"{self.name} returned a negative probability for text {row}; apply a softmax"
            )
        sums = values.sum(axis=1)
        worst = int(np.argmax(np.abs(sums - 1)))
        if abs(sums[worst] - 1) > SUM_TOLERANCE:
            raise FuzzsmoothError(
                f"{self.name} returned probabilities of text {worst} that sum to {sums[worst]:.4g}, not 1; "
                "apply a softmax"
            )
