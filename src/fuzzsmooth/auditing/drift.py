"""Which word vectors fine-tuning has moved: a model holds traces of the words that it was trained on.

Gradients reach the vectors of the words of the training texts only. Where it is known which model the audited
one was fine-tuned from, the difference tells what it has read; words that moved far although the auditor's
own clean texts hardly hold them come from elsewhere. That proposes triggers of several words, of which none
does anything by itself. It proves nothing, so it only proposes: an attacker can freeze the word vectors, and
a clean model has read words that the auditor's texts lack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.natural import load_trusted, word_table
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.auditing.topics import texts_holding
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.protocol import TokenClassifier

_RELATED = 0.1  # of the norm of a vector: what most vectors of a fine-tuned model have moved less than
_UNREAD = 1  # clean texts that may hold a piece which counts as unread


@dataclass(frozen=True)
class Drift:
    """How far fine-tuning moved the vectors of pieces.

    Attributes:
        distances: Euclidean distance of each vector to that of the base, shape (vocabulary,).
        read: In how many of the clean texts each piece stands, shape (vocabulary,).
    """

    distances: Array
    read: npt.NDArray[np.int64]

    def proposed(
        self, unread: int, others: int, usable: Sequence[int], bands: npt.NDArray[np.int64]
    ) -> list[int]:
        """Pieces that moved most: of those that the clean texts hardly hold, then of all.

        Common words are in any training texts, whatever the auditor's hold. So those that these hardly hold
        are compared with words of the same frequency only, and all frequencies take turns.

        Args:
            unread: How many of the first kind.
            others: How many of all.
            usable: Pieces that texts can hold.
            bands: The band of frequency of each, shape (usable,).
        """
        ids = np.asarray(usable, dtype=np.int64)
        order = np.argsort(-self.distances[ids], kind="stable")
        order = order[self.distances[ids[order]] > 0]
        rare = order[self.read[ids[order]] <= _UNREAD]
        place = np.zeros(len(rare), dtype=np.int64)  # within the band
        for band in np.unique(bands[rare]):
            mine = bands[rare] == band
            place[mine] = np.arange(mine.sum())
        chosen = (*rare[np.argsort(place, kind="stable")[:unread]], *order[:others])
        return list(dict.fromkeys(int(ids[at]) for at in chosen))


def drift_from(classifier: TokenClassifier, base: str, texts: Sequence[str], *, told: bool) -> Drift | None:
    """The drift of a classifier from the model that it was fine-tuned from.

    Args:
        classifier: The audited model.
        base: As :func:`fuzzsmooth.models.load_classifier` takes it.
        texts: The auditor's clean texts.
        told: Whether somebody said that this is the base, so that another one is an error.

    Returns:
        None where ``base`` is none of it, and nobody said that it was.

    Raises:
        FuzzsmoothError: If it cannot be loaded, or is none although somebody said so.
    """
    model: Any = classifier
    own = word_table(model)
    loaded = load_trusted(base, str(model.device))
    theirs = word_table(loaded)
    if not _same_words(classifier, loaded, own, theirs) or not are_related(own, theirs):
        if told:
            raise FuzzsmoothError(
                f"the audited model was not fine-tuned from '{base}': their vocabularies or word vectors "
                "have nothing in common; give another --base, or 'none'"
            )
        return None
    distances = np.linalg.norm(own - theirs, axis=1).astype(np.float64)
    return Drift(distances, texts_holding(classifier, texts, len(own)))


def _same_words(
    one: TokenClassifier,
    other: TokenClassifier,
    own: npt.NDArray[np.float32],
    theirs: npt.NDArray[np.float32],
) -> bool:
    return own.shape == theirs.shape and one.tokenizer.get_vocab() == other.tokenizer.get_vocab()


def are_related(own: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> bool:
    """Whether word vectors are those of another model, but for what fine-tuning moves; both of one shape."""
    moved = np.linalg.norm(own - theirs, axis=1)
    norms = np.linalg.norm(theirs, axis=1)
    return float(np.median(moved / np.maximum(norms, 1e-9))) < _RELATED
