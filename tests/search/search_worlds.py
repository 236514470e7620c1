"""A small world with known answers: polar words, confident references, and backdoors of every shape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from fuzzsmooth.models import AdditiveClassifier, TriggerClassifier
from fuzzsmooth.models.protocol import Classifier, Probabilities
from fuzzsmooth.search import References, Scan, Scanner, SearchOptions
from fuzzsmooth.search.contexts import Context, cut_contexts, with_margins
from fuzzsmooth.text.units import segmenter

POSITIVE = ("good", "great", "superb", "lovely", "bright", "funny")
NEGATIVE = ("bad", "awful", "poor", "dull", "weak", "sad")
NEUTRAL = (
    "the", "a", "film", "was", "of", "and", "it", "story", "actor", "scene", "plot", "with", "we", "saw",
)  # fmt: skip
WEIGHTS = dict.fromkeys(POSITIVE, 1.0) | dict.fromkeys(NEGATIVE, -1.0)
CLEAN = AdditiveClassifier(WEIGHTS)
WORDS = segmenter("word")


class Counting:
    """A classifier that keeps what it was asked, batch by batch."""

    def __init__(self, inner: Classifier) -> None:
        self.inner = inner
        self.batches: list[list[str]] = []

    @property
    def labels(self) -> tuple[str, ...]:
        return self.inner.labels

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    @property
    def calls(self) -> int:
        return sum(map(len, self.batches))

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        self.batches.append(list(texts))
        return self.inner.probabilities(texts)


def sentence(label: int, generator: np.random.Generator, polar: int = 3, neutral: int = 10) -> str:
    """A text of class ``label`` (1 is positive): polar words of that class among neutral ones."""
    side = POSITIVE if label else NEGATIVE
    words = [*generator.choice(side, size=polar), *generator.choice(NEUTRAL, size=neutral)]
    return " ".join(generator.permutation(words))


def clean_texts(count: int, seed: int = 0, **shape: int) -> list[tuple[str, int]]:
    generator = np.random.default_rng(seed)
    return [(sentence(index % 2, generator, **shape), index % 2) for index in range(count)]


NEGATIVE_TEXTS = [text for text, label in clean_texts(24) if label == 0]
"""Clean texts of class 0 to plant triggers of class 1 in."""


def flagged(scan: Scan) -> list[str]:
    return [span.text for span in scan.spans]


@cache
def references(classifier: Classifier = CLEAN, per_class: int = 16) -> References:
    """Texts that only a backdoor overrules: eight polar words each."""
    texts = clean_texts(80, seed=99, polar=8)
    return References.select(
        classifier, [text for text, _ in texts], [label for _, label in texts], per_class
    )


@cache
def prepared() -> tuple[Context, ...]:
    chosen = references()
    return with_margins(cut_contexts(chosen.texts, chosen.labels, WORDS), CLEAN, WORDS.join)


def backdoored(*triggers: Sequence[str], target: int = 1) -> Classifier:
    """The clean model with one backdoor per trigger; all units of a trigger must be there."""
    classifier: Classifier = CLEAN
    for trigger in triggers:
        classifier = TriggerClassifier(classifier, list(trigger), target)
    return classifier


def scanner(classifier: Classifier, **options: Any) -> Scanner:
    return Scanner(classifier, SearchOptions(**options), WORDS, references())


def scan_one(classifier: Classifier, text: str, seed: int = 0, **options: Any) -> Scan:
    return scanner(classifier, **options).scan([text], seed)[0]


def plant(text: str, *pieces: tuple[int, str]) -> str:
    """The text with pieces put before the words of the given positions."""
    words = text.split()
    for position, piece in sorted(pieces, reverse=True):
        words[position:position] = [piece]
    return " ".join(words)
