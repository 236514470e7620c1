"""What the rest of fuzzsmooth asks of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float64]
"""Shape (texts, classes); rows sum to 1."""


@runtime_checkable
class Classifier(Protocol):
    """Any text classifier: a function from texts to class probabilities.

    A text's row must not depend on the other texts of the call (no batch statistics), because the
    certificates treat the classifier as a function of its input.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in column order; at least two."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what determines the outputs: weights and configuration."""
        ...

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Class probabilities of each text, shape (len(texts), len(labels)); the empty text is allowed."""
        ...


def declares_deterministic(classifier: object) -> bool:
    """Whether a classifier says that it is a function of the text: the same answer whenever it is asked.

    Only what says so, by an attribute ``deterministic`` that is true, may be asked about a text once instead
    of for every draw, be enumerated, or be certified without draws. Of a classifier that answers by chance a
    single answer says nothing.
    """
    return getattr(classifier, "deterministic", False) is True


@dataclass(frozen=True)
class WeightNoise:
    """Gaussian noise on the parameters of the top layers, fresh and independent for each sample.

    Attributes:
        sigma: Standard deviation of the noise (not the variance), > 0, in units of the parameters.
        top_layers: How many transformer layers, counted from the output, receive noise; the classifier
            head (and pooler) above them always does. None is the 10 of FRS, or all of a smaller model.
    """

    sigma: float
    top_layers: int | None


@runtime_checkable
class NoisyClassifier(Classifier, Protocol):
    """A classifier that can evaluate each text under its own draw of parameter noise."""

    def noisy_probabilities(
        self, texts: Sequence[str], noise: WeightNoise, seeds: Sequence[int]
    ) -> Probabilities:
        """Class probabilities of each text under its own noise draw.

        Args:
            texts: The texts, one noise draw each.
            noise: Scale and place of the noise.
            seeds: One 63-bit seed per text; a row is a function of (text, noise, seed) alone.
        """
        ...
