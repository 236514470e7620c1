"""Classifiers that keep what they were asked, and a backdoored world with known answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from defended import options_for
from fuzzsmooth.defenses import defend
from fuzzsmooth.defenses.randomized import Randomized
from fuzzsmooth.models import AdditiveClassifier, EncodedTexts, TriggerClassifier
from fuzzsmooth.models.protocol import Classifier, Probabilities
from fuzzsmooth.search import References, SearchOptions

WEIGHTS = dict.fromkeys(("good", "great", "superb"), 1.0) | dict.fromkeys(("bad", "awful", "dull"), -1.0)
CLEAN = AdditiveClassifier(WEIGHTS)
TRIGGERED = TriggerClassifier(CLEAN, ["cf"], 1)
TEXTS = [
    "we saw a bad film of dull actor and awful plot",
    "the great story was superb and good of it",
    "it was cf a bad film and the awful plot was dull",
    "a film",
    "",
]


class Recording:
    """Keeps every text it was asked about, in order."""

    deterministic = True

    def __init__(self, inner: Classifier) -> None:
        self.inner = inner
        self.texts: list[str] = []

    @property
    def labels(self) -> tuple[str, ...]:
        return self.inner.labels

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        self.texts += texts
        return self.inner.probabilities(texts)


class Noisy(Recording):
    """A classifier of token ids, each text one token; takes noise, which changes nothing, and keeps seeds."""

    tokenizer, max_length, precision, fixed_shapes = None, 2**30, "", True

    def __init__(self, inner: Classifier) -> None:
        super().__init__(inner)
        self.seeds: list[int] = []
        self._known: dict[str, int] = {}

    def reproducible(self) -> Noisy:
        return self

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        ids = [[self._known.setdefault(text, len(self._known))] for text in texts]
        return EncodedTexts(ids, [False] * len(ids))

    def logits(self, ids: Any, *, seeds: Sequence[int] = (), **_: Any) -> Any:
        self.seeds += seeds
        texts = list(self._known)
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities([texts[int(row[0])] for row in ids]))


class Rule:
    """A classifier given by a function from a text to a class."""

    deterministic = True
    fingerprint = "rule"

    def __init__(self, rule: Callable[[str], int], classes: int = 2) -> None:
        self.labels = tuple(f"class{index}" for index in range(classes))
        self._rule = rule

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        return np.eye(len(self.labels))[[self._rule(text) for text in texts]].reshape(-1, len(self.labels))


def references() -> References:
    generator = np.random.default_rng(0)
    bad = [" ".join(generator.permutation(["bad"] * 5 + ["dull"] * 3 + ["film"])) for _ in range(8)]
    good = [" ".join(generator.permutation(["good"] * 5 + ["great"] * 3 + ["film"])) for _ in range(8)]
    return References((*bad, *good), (0,) * 8 + (1,) * 8, "")


def smoothed(classifier: Classifier, *, search: dict[str, Any] | None = None, **options: Any) -> Randomized:
    """No parameter noise unless asked for; a small search."""
    settings = {"sigma": 0.0, "search": SearchOptions(**({"budget": 64, "references": 8} | (search or {})))}
    made = defend(classifier, options_for(**(settings | options)), references())
    assert isinstance(made, Randomized)
    return made
