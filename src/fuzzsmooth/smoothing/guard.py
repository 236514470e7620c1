"""The guard band: how far rounding may move a logit margin, measured.

A certificate is about one function of the text. A floating-point model is that function up to rounding,
which depends on the shape of the batch, on padding and on the number type. A draw whose margin between the
two highest logits is larger than every deviation seen gives the same vote however it is computed; the others
count for no class (:class:`fuzzsmooth.smoothing.sampler.Sampler`, ``guard``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import require
from fuzzsmooth.models.encoding import EncodedTexts

SAFETY = 4.0
"""Times the largest deviation measured. A sample shows the body of the law of rounding errors, not its tail:
were they normal, the largest of some hundreds would lie near three standard deviations, and four times that
is out of reach of any number of draws. It is a margin of prudence, not a proof."""

_TEXTS = 200  # texts measured; more sharpen a maximum only with the logarithm of their number
_BATCHES = (2, 7, 32)  # sequences in a call: below, between and at the sizes that kernels are tiled for

Logits = npt.NDArray[np.float32]


@runtime_checkable
class Measurable(Protocol):
    """What a classifier must offer to be measured; :class:`fuzzsmooth.models.HuggingFaceClassifier` does."""

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """Token ids of texts."""
        ...

    def logits_of_batch(self, ids: Sequence[Sequence[int]]) -> Logits:
        """Logits of token sequences evaluated in one padded call."""
        ...


def measure_guard_band(
    classifier: Measurable,
    texts: Sequence[str],
    *,
    reference: Measurable | None = None,
    safety: float = SAFETY,
) -> float:
    """The largest deviation of a logit margin that batches, padding or number types cause, times a factor.

    Each text is evaluated alone, in batches of several sizes, in batches sorted by length (little padding)
    and in the given order (much padding, and beside the longest text). Margins are compared with those of
    the text alone under ``reference``.

    Args:
        classifier: The classifier that will vote, in the number type it will use.
        texts: Texts like those to be voted on, randomized ones at best; the first few hundred are used.
        reference: The same classifier in float32, where ``classifier`` computes in another type; by default
            the classifier itself, which then measures what batches do.
        safety: Factor on the largest deviation seen, >= 1.

    Returns:
        A logit margin, >= 0: the guard band.

    Raises:
        FuzzsmoothError: If there are no texts or the factor is less than 1.
    """
    require(len(texts) > 0, "give at least one text to measure the guard band on")
    require(safety >= 1, f"the safety factor must be at least 1, got {safety}")
    rows = list({tuple(row): None for row in classifier.encode(texts[:_TEXTS]).ids})
    judge = reference or classifier
    alone = np.concatenate([judge.logits_of_batch([row]) for row in rows]).astype(np.float64)
    by_length = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    longest = by_length[-1]
    worst = 0.0
    for size in (1, *_BATCHES):
        for order in (by_length, list(range(len(rows)))):
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                beside = [*chosen[: size - 1], longest] if size > 1 and order is not by_length else chosen
                found = classifier.logits_of_batch([rows[index] for index in beside]).astype(np.float64)
                worst = max(worst, margin_deviation(found, alone[beside]))
    return safety * worst


def margin_deviation(found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """The largest change of a difference between two logits of one row, over all rows.

    That is the range, over the classes, of the change of the logits: it bounds the change of the margin
    between any two classes, whichever are the highest.

    Args:
        found: Logits, shape (rows, classes).
        expected: Logits of the same rows.
    """
    return float(np.ptp(found - expected, axis=1).max(initial=0.0))
