"""A language model that writes, with a predicate of its answer, as a classifier of the text.

The answer is greedy, and so a function of the text; the predicate is one of the answer. Together they are a
base classifier h, and what the theorems ask of one is no more than that. So the vote over deleted texts is
certified exactly as that of a classifier with a head. Units and edits are the text's; the instruction around
it is part of h.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from fuzzsmooth.models.generating import GeneratingModel, load_generating
from fuzzsmooth.models.generation import PredicateOptions
from fuzzsmooth.models.predicate import Predicate
from fuzzsmooth.models.protocol import Precision, Probabilities

_KEPT = 200_000  # outcomes that are remembered, of some hundred bytes each


class PredicateClassifier:
    """A :class:`~fuzzsmooth.models.protocol.Classifier` of certain answers: probability 1 or 0.

    Args:
        model: The model.
        predicate: What is asked about its answers.
        labels: Names of the outcomes, in their order.

    Attributes:
        labels: The same.
        deterministic: That of the model. Then each token sequence is asked once and its outcome remembered;
            otherwise every draw is asked, as it may be answered by chance.
        precision: Number type of the passes.
        tokenizer: The tokenizer of texts.
        max_length: Where texts are cut, in tokens.
    """

    def __init__(self, model: GeneratingModel, predicate: Predicate, labels: Sequence[str]) -> None:
        self.model = model
        self.predicate = predicate
        self.labels = tuple(labels)
        self.deterministic = model.deterministic
        self.precision: Precision = model.precision
        self.tokenizer = model.tokenizer
        self.max_length = model.max_length
        self._known: dict[tuple[int, ...], int] = {}
        parts = ("predicate", model.fingerprint, predicate.fingerprint, *self.labels)
        self.fingerprint = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def forward_count(self) -> int:
        """How many answers were written so far."""
        return self.model.forward_count

    @forward_count.setter
    def forward_count(self, count: int) -> None:
        self.model.forward_count = count

    def truncated(self, texts: Iterable[str]) -> list[bool]:
        """Whether each text is longer than the model reads beside instruction and answer."""
        return self.model.encode(texts).truncated

    def answers(self, texts: Iterable[str]) -> list[str]:
        """What the model writes behind each text."""
        return self.model.answers(self.model.encode(texts).ids)

    def probabilities(self, texts: Iterable[str]) -> Probabilities:
        """1 for the outcome of each text and 0 for the others, shape (len(texts), len(labels)).

        Raises:
            FuzzsmoothError: If an answer cannot be written or judged.
        """
        rows = [tuple(row) for row in self.model.encode(texts).ids]
        found = self._once(rows) if self.deterministic else self._outcomes(rows)
        result: Probabilities = np.zeros((len(rows), len(self.labels)))
        result[np.arange(len(rows)), np.array(found, dtype=np.int64)] = 1.0
        return result

    def _once(self, rows: Sequence[tuple[int, ...]]) -> list[int]:
        known = {row: self._known[row] for row in rows if row in self._known}
        fresh = [row for row in dict.fromkeys(rows) if row not in known]
        known.update(zip(fresh, self._outcomes(fresh), strict=True))
        if len(self._known) + len(fresh) > _KEPT:
            self._known.clear()
        self._known.update(known)
        return [known[row] for row in rows]

    def _outcomes(self, rows: Sequence[Sequence[int]]) -> list[int]:
        return self.predicate.outcomes(self.model.answers(rows)) if rows else []


def load_predicated(
    name: str,
    options: PredicateOptions,
    *,
    max_length: int | None = None,
    precision: Literal["auto", "float32", "bfloat16"] = "float32",
    device: str = "auto",
    allow_bin: bool = False,
) -> PredicateClassifier:
    """Load a causal language model as a classifier of texts by a predicate of its answers.

    Args:
        name: ``builtin:smollm2``, a local folder, or a hub name.
        options: What is asked.
        max_length: See :class:`fuzzsmooth.models.generating.GeneratingModel`.
        precision: The same.
        device: The same.
        allow_bin: The same.

    Raises:
        UnsafeModelError: If a checkpoint could run code.
        FuzzsmoothError: If there is no predicate, or model or judge are missing, damaged, or none.
    """
    predicate, labels = options.asked()
    writer = load_generating(
        name, options, max_length=max_length, precision=precision, device=device, allow_bin=allow_bin
    )
    return PredicateClassifier(writer, predicate, labels)
