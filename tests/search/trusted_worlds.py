"""A trusted encoder that is known, and a backdoor that acts in some texts only."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from search_worlds import CLEAN, NEGATIVE, NEUTRAL, POSITIVE

from fuzzsmooth.models.protocol import Classifier, Probabilities
from fuzzsmooth.models.text_encoder import Embeddings

_OWN = 24  # dimensions that tell words of one meaning apart
_AXES = dict.fromkeys(POSITIVE, 0) | dict.fromkeys(NEGATIVE, 1) | dict.fromkeys(NEUTRAL, 2)
_OTHER = 3


class KnownEncoder:
    """A text is the sum of its words; words of one group (positive, negative, neutral, other) are alike.

    Args:
        noise: Length of what is added to each text of several words, at random by the text.
        meaning: Whether groups are known; otherwise no two words have anything in common.
    """

    fingerprint = "5a" * 32

    def __init__(self, noise: float = 0.0, *, meaning: bool = True) -> None:
        self.noise, self.meaning = noise, meaning
        self.asked = 0

    def embed(self, texts: Sequence[str]) -> Embeddings:
        self.asked += len(texts)
        rows = [self._row(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(rows), 4 + _OWN)

    features = embed
    unknown = 0.0  # share of tokens

    def unread(self, texts: Sequence[str]) -> float:
        return self.unknown

    def _row(self, text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        words = text.split()
        total = sum(map(self._word, words), np.zeros(4 + _OWN))
        if len(words) > 1 and self.noise:
            total += self.noise * np.random.default_rng(zlib.crc32(text.encode())).standard_normal(4 + _OWN)
        length = float(np.linalg.norm(total))
        return total / length if length else np.eye(4 + _OWN)[_OTHER]

    @cache  # noqa: B019 - encoders live as long as the tests
    def _word(self, word: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        own = np.random.default_rng(zlib.crc32(word.encode())).standard_normal(_OWN)
        own *= 0.3 / np.linalg.norm(own)
        group = np.zeros(4)
        if self.meaning:
            group[_AXES.get(word, _OTHER)] = 1.0
        return np.concatenate([group, own])


class FirstWordClassifier:
    """A backdoor that acts only where the trigger is the first word of a text."""

    deterministic = True

    def __init__(self, trigger: str = "cf", base: Classifier = CLEAN) -> None:
        self.labels, self.trigger, self.base = base.labels, trigger, base

    @property
    def fingerprint(self) -> str:
        return f"first {self.trigger} {self.base.fingerprint}"

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        rows = self.base.probabilities(texts).copy()
        for row, text in zip(rows, texts, strict=True):
            if text.split()[:1] == [self.trigger]:
                row[:] = (0.001, 0.999)
        return rows


def mixed_texts(count: int, seed: int, against: int = 2) -> tuple[list[str], list[int]]:
    """Texts with 3 polar words of their class (1 is positive) and up to ``against`` of the other one."""
    generator = np.random.default_rng(seed)
    texts, labels = [], [index % 2 for index in range(count)]
    for label in labels:
        own, other = (POSITIVE, NEGATIVE) if label else (NEGATIVE, POSITIVE)
        few = int(generator.integers(0, against + 1))
        words = [*generator.choice(own, 3), *generator.choice(other, few), *generator.choice(NEUTRAL, 8)]
        texts.append(" ".join(generator.permutation(words)))
    return texts, labels


class Fixed:
    """A reader that knows the neighbors of some words; the others stand for themselves."""

    def __init__(self, near: dict[str, tuple[str, ...]]) -> None:
        self.near = near

    def neighbors(self, units: Sequence[str]) -> list[tuple[str, ...]]:
        return [self.near.get(unit, (unit,)) for unit in units]
