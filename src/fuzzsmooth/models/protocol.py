"""What the rest of fuzzsmooth asks of a classifier: one of texts, and one of token ids. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.encoding import EncodedTexts

Precision: TypeAlias = Literal["float32", "bfloat16"]

Probabilities: TypeAlias = npt.NDArray[np.float64]
"""Shape (texts, classes); rows sum to 1."""
Logits: TypeAlias = npt.NDArray[np.float32]
"""Shape (sequences, classes)."""
Tokens: TypeAlias = npt.NDArray[np.int64]
"""Token ids of one sequence, shape (length,)."""
Ids: TypeAlias = Sequence[Sequence[int] | Tokens]
"""Token ids of sequences, none of them empty, special tokens included."""


class SlowPathWarning(UserWarning):
    """Something is computed in a slower way than usual, because the model asks for it; no law changes."""


@dataclass(frozen=True)
class WeightNoise:
    """Gaussian noise on the parameters of the top layers, a function of the seed of a sample.

    Attributes:
        sigma: Standard deviation of the noise (not the variance), > 0, in units of the parameters.
        top_layers: How many transformer layers, counted from the output, receive noise; the classifier
            head (and pooler) above them always does. None is the 10 of FRS, or all of a smaller model.
        copies: Whether few seeds are used again and again, so that the noisy copy of the model that belongs
            to one is drawn once and answers all its samples; otherwise each has noise of its own, drawn in
            activation space. The law of a sample is the same.
    """

    sigma: float
    top_layers: int | None
    copies: bool = False


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


@runtime_checkable
class TokenClassifier(Classifier, Protocol):
    """A classifier that also answers token ids: each unit is tokenized once, each remainder asked once.

    Only such a classifier can have parameter noise, and a rounding band measured.
    """

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        ...

    @property
    def max_length(self) -> int:
        """Where texts are cut, in tokens with the special ones."""
        ...

    @property
    def precision(self) -> str:
        """Number type of the passes, "float32" or a coarser one; empty if nothing is rounded."""
        ...

    @property
    def fixed_shapes(self) -> bool:
        """Whether an answer without noise is a function of the ids alone, bit by bit."""
        ...

    def reproducible(self) -> TokenClassifier:
        """The same classifier in float32 and, where it is to be had, in fixed shapes; itself if it is so."""
        ...

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """Token ids of texts, cut at ``max_length``, and which were cut."""
        ...

    def logits(
        self,
        ids: Ids,
        *,
        noise: WeightNoise | None = None,
        seeds: Sequence[int] = (),
        one_batch: bool = False,
    ) -> Logits:
        """Logits of token sequences, shape (len(ids), len(labels)).

        Args:
            ids: The sequences.
            noise: Parameter noise, of which each sequence has a draw of its own.
            seeds: With noise one 63-bit seed per sequence; a row is a function of (sequence, noise, seed)
                alone.
            one_batch: Without noise, to see what batches do to a result: whether all sequences, repeated ones
                too, are evaluated in one padded call.

        Raises:
            FuzzsmoothError: If a value is not finite, or there is noise and the classifier has no parameters.
        """
        ...


def declares_deterministic(classifier: object) -> bool:
    """Whether a classifier says that it is a function of the text: the same answer whenever it is asked.

    Only what says so, by an attribute ``deterministic`` that is true, may be asked about a text once instead
    of for every draw, be enumerated, or be certified without draws. Of a classifier that answers by chance a
    single answer says nothing.
    """
    return getattr(classifier, "deterministic", False) is True


def with_noise(classifier: Classifier) -> TokenClassifier:
    """The classifier as one that can be evaluated under parameter noise.

    Raises:
        FuzzsmoothError: If it is one of texts alone, which has no parameters here.
    """
    if isinstance(classifier, TokenClassifier):
        return classifier
    raise FuzzsmoothError(
        "parameter noise needs a local Hugging Face model; set sigma=0 to smooth this classifier by its texts"
        " alone"
    )
