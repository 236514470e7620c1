"""Labeled texts as the rest of fuzzsmooth sees them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Example:
    """A text with its class index."""

    text: str
    label: int


@dataclass(frozen=True)
class Dataset:
    """An immutable list of examples with class names.

    Attributes:
        name: Where it came from, as the user would write it.
        labels: Class names; ``Example.label`` indexes them.
        examples: The rows, in file order.
        skipped: One sentence per row that was left out, with its row number.
        notes: One sentence on each thing that was assumed about its labels.
    """

    name: str
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    skipped: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    @property
    def texts(self) -> list[str]:
        """The texts, in order."""
        return [example.text for example in self.examples]

    @property
    def targets(self) -> list[int]:
        """The class indices, in order."""
        return [example.label for example in self.examples]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over all texts and labels, in order."""
        digest = hashlib.sha256()
        for example in self.examples:
            digest.update(f"{example.label}\t{example.text}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def sample(self, size: int, generator: np.random.Generator) -> Dataset:
        """At most ``size`` examples drawn without replacement, kept in their order."""
        if size >= len(self):
            return self
        chosen = np.sort(generator.choice(len(self), size=size, replace=False))
        return self.with_examples([self.examples[index] for index in chosen])

    def with_examples(self, examples: Sequence[Example]) -> Dataset:
        """The same data set with other examples."""
        return replace(self, examples=tuple(examples))


@dataclass(frozen=True)
class Splits:
    """Training data and the texts everything is measured on."""

    train: Dataset
    test: Dataset
