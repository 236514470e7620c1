"""Models whose every answer is known, behind the real seams: tokenizers, number types, chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fuzzsmooth.models.encoding import EncodedTexts, encode_texts
from fuzzsmooth.models.protocol import Probabilities


class IdRule:
    """A deterministic classifier of token ids behind a real tokenizer.

    Args:
        tokenizer: The tokenizer.
        logits: From the ids of one sequence, special ones included, to the logits of all classes.
        labels: Class names.
        precision: What it says its number type is.
        coarse: The same rule in the coarse type; asked where ``precision`` is not "float32".
    """

    deterministic = True
    fixed_shapes = False
    max_length = 64

    def __init__(
        self,
        tokenizer: Any,
        logits: Callable[[tuple[int, ...]], Sequence[float]],
        labels: Sequence[str] = ("neg", "pos"),
        *,
        precision: str = "float32",
        coarse: Callable[[tuple[int, ...]], Sequence[float]] | None = None,
    ) -> None:
        self.tokenizer, self.labels, self.precision = tokenizer, tuple(labels), precision
        self._exact, self._coarse = logits, coarse or logits
        self.fingerprint = f"id rule in {precision}"

    def reproducible(self) -> IdRule:
        if self.precision == "float32":
            return self
        return IdRule(self.tokenizer, self._exact, self.labels, coarse=self._coarse)

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        return encode_texts(self.tokenizer, texts, self.max_length)

    def logits(self, ids: Sequence[Any], **more: Any) -> Any:
        assert more.get("noise") is None, "a rule has no parameters"
        rule = self._exact if self.precision == "float32" else self._coarse
        rows = [rule(tuple(int(one) for one in row)) for row in ids]
        return np.array(rows, dtype=np.float32).reshape(-1, len(self.labels))

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        odds = np.exp(self.logits(self.encode(texts).ids).astype(np.float64))
        return odds / odds.sum(axis=1, keepdims=True)


class Chance:
    """Answers class c with probability ``law[c]`` whatever it reads, independently at every question."""

    def __init__(self, law: Sequence[float], seed: int) -> None:
        self.law, self.generator = np.array(law), np.random.default_rng(seed)

    def __call__(self, texts: list[str]) -> Probabilities:
        return np.eye(len(self.law))[self.generator.choice(len(self.law), len(texts), p=self.law)]


def majority_law(classify: Callable[[str], int], text: str, rate: float, classes: int = 2) -> Any:
    """The exact class probabilities of deletion, from the strings of all remainders."""
    words, law = text.split(), np.zeros(classes)
    for kept in itertools.product((0, 1), repeat=len(words)):
        left = " ".join(word for word, keep in zip(words, kept, strict=True) if keep)
        law[classify(left)] += (1 - rate) ** sum(kept) * rate ** (len(words) - sum(kept))
    return law
