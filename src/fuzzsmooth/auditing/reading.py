"""How a reader of the clean texts would take words: a linear model that nobody can have backdoored.

A logistic regression on embeddings of an encoder that the auditor trusts, fitted to the audit's clean texts.
Where it, too, gives a text with some words inserted the class that the audited model gives, the words mean
that class to whoever has read such texts, and their effect is natural. A trigger means nothing to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.natural import load_trusted
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.models.protocol import TokenClassifier
from fuzzsmooth.models.text_encoder import TextEncoder
from fuzzsmooth.search.witness import regression, spread_over

_SURER = 2.0
"""How many times as far a fine-tuned model moves for a word that means something, as a share of the distance
between the classes: a linear model of means of vectors is moved by a word as by one of many."""


class Reader:
    """A linear model of clean texts.

    Args:
        encoder: The trusted encoder.
        texts: Clean texts.
        labels: Their class indices.
        classes: How many there are.
    """

    def __init__(
        self, encoder: TextEncoder, texts: Sequence[str], labels: Sequence[int], classes: int
    ) -> None:
        self._encoder = encoder
        features = encoder.features(list(texts))
        self._weights, self._bias = regression(features, np.asarray(labels, dtype=np.int64), classes)

    def explained(self, hosts: Sequence[Host], words: Sequence[str], target: int) -> Array:
        """What words at the start of texts do to the reader, shape (words, 2).

        Args:
            hosts: Texts of other classes; those that the reader gives the target anyway are left out.
            words: The words.
            target: The class.

        Returns:
            Share of the texts that get the target, and gain of the target as a share of the way from these
            texts to as sure an answer of it, in [0, 1].
        """
        margins = self._margins([host.text for host in hosts], target)
        kept = [host.text for host, margin in zip(hosts, margins, strict=True) if margin < 0]
        found: Array = np.zeros((len(words), 2))
        if not kept:
            return found
        way = 2 * float(-margins[margins < 0].mean())
        after = self._margins([f"{word} {text}" for word in words for text in kept], target)
        after = after.reshape(len(words), len(kept))
        found[:, 0] = (after > 0).mean(axis=1)
        found[:, 1] = np.clip(_SURER * (after - margins[margins < 0]).mean(axis=1) / way, 0.0, 1.0)
        return found

    def _margins(self, texts: Sequence[str], target: int) -> Array:
        """Log-odds of a class against the likeliest other, shape (texts,)."""
        scores = self._encoder.features(list(texts)) @ self._weights.T + self._bias
        others = np.delete(scores, target, axis=1).max(axis=1)
        found: Array = scores[:, target] - others
        return found


def clean_reader(
    classifier: TokenClassifier, trusted: str, texts: Sequence[str], labels: Sequence[int]
) -> Reader | None:
    """A reader of clean texts through the trusted encoder.

    Args:
        classifier: The audited model, which names the classes and the device.
        trusted: As :func:`fuzzsmooth.models.load_classifier` takes it, or "own".
        texts: Clean texts; a few thousand are read, spread over all.
        labels: Their class indices.

    Returns:
        None for "own": whoever made the model could have set what it reads.

    Raises:
        FuzzsmoothError: If the encoder cannot be loaded.
    """
    if trusted == "own":
        return None
    model: Any = classifier
    spread = spread_over(len(texts))
    chosen, truth = [texts[at] for at in spread], [labels[at] for at in spread]
    return Reader(
        TextEncoder(load_trusted(trusted, str(model.device))), chosen, truth, len(classifier.labels)
    )
