"""What the base classifier says to deleted texts, without noise: the same to the same remainder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import UNDECIDED
from fuzzsmooth.models.protocol import Classifier, Probabilities
from fuzzsmooth.smoothing.fuzzers import Fuzzer, TypeFuzzer, Units
from fuzzsmooth.text.units import Segmenter

Labels = npt.NDArray[np.int64]

_TOGETHER = 8192  # remainders handed to the model at once: bounds the memory


def decide(rows: Probabilities, guard: float) -> Labels:
    """The label of each row, or ``UNDECIDED`` inside the numerical guard band.

    Args:
        rows: Class probabilities, shape (n, classes).
        guard: Least distance of the two best logits that rounding cannot turn around, >= 0; 0 decides all.

    Returns:
        Shape (n,).
    """
    labels: Labels = rows.argmax(axis=1).astype(np.int64)
    if guard > 0.0 and len(rows):
        ordered = np.sort(rows, axis=1)
        with np.errstate(divide="ignore"):
            margins = np.log(ordered[:, -1]) - np.log(ordered[:, -2])
        labels[~(margins > guard)] = UNDECIDED
    return labels


def is_deterministic(fuzzer: Fuzzer | None) -> bool:
    """Whether a fuzzer is a function of the remainder alone, so that a remainder has one answer."""
    return fuzzer is None or isinstance(fuzzer, TypeFuzzer)


@dataclass(frozen=True)
class Remainders:
    """The base classifier of deleted texts: a deterministic fuzzer, then the model without noise.

    Attributes:
        classifier: The model.
        segmenter: Writes units as a text.
        fuzzer: A fuzzer that draws nothing, or None.
        guard: See :func:`decide`.
    """

    classifier: Classifier
    segmenter: Segmenter
    fuzzer: Fuzzer | None
    guard: float

    def fuzzed(self, remainders: Sequence[Units]) -> list[Units]:
        """What the model reads of each remainder."""
        if self.fuzzer is None:
            return list(remainders)
        return self.fuzzer(remainders, [np.random.default_rng(0)] * len(remainders))  # it draws nothing

    def labels(self, remainders: Sequence[Units]) -> Labels:
        """The label of each remainder, or ``UNDECIDED``; equal ones are asked once; shape (remainders,)."""
        distinct = list(dict.fromkeys(remainders))
        found: dict[Units, int] = {}
        for start in range(0, len(distinct), _TOGETHER):
            part = distinct[start : start + _TOGETHER]
            read = self.fuzzed(part)
            asked = list(dict.fromkeys(read))
            rows = self.classifier.probabilities([self.segmenter.join(units) for units in asked])
            answers = dict(zip(asked, decide(rows, self.guard).tolist(), strict=True))
            found.update((units, answers[left]) for units, left in zip(part, read, strict=True))
        return np.array([found[units] for units in remainders], dtype=np.int64)


def kept_units(units: Units, mask: int) -> Units:
    """The units whose bit is set in a mask."""
    return tuple(unit for index, unit in enumerate(units) if mask >> index & 1)
