"""Deterministic certificates of a classifier on a data set: how much two-round ablation withstands."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.certify import MaskOracle, certify_contiguous_insertion, certify_scattered
from fuzzsmooth.common.options import require
from fuzzsmooth.defenses import CertifiedAnswer
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.text import Segmenter, segmenter

CONTIGUOUS = "contiguous_insert"

_BATCH = 64  # masks asked about at once: a certificate that fails does so early


class Windowed:
    """Two-round ablation by windows around a base classifier, for each trigger length up to ``longest``.

    The radius m of a text says: the procedure with windows of 0..m words answers it, whatever single piece
    of at most m words has been inserted anywhere, with the base label. A larger m needs all that a smaller
    one does, so radii nest; but each m is a procedure of its own, to be fixed before texts are seen.

    Args:
        classifier: The base classifier.
        longest: Longest trigger that is asked about, in words, >= 1.
    """

    def __init__(self, classifier: Classifier, longest: int) -> None:
        require(longest >= 1, f"the longest trigger must be at least 1 word, got {longest}")
        self._classifier = classifier
        self._longest = longest
        self._segmenter = segmenter("word")

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """The base label of each text and the longest trigger it is certified against."""
        return [self._certify(text) for text in texts]

    def _certify(self, text: str) -> CertifiedAnswer:
        oracle, label = _asked(self._classifier, self._segmenter, text)
        radius = 0
        while radius < self._longest and certify_contiguous_insertion(oracle, radius + 1).certified:
            radius += 1
        return CertifiedAnswer(label, {CONTIGUOUS: radius})


class Scattered:
    """Two-round ablation by single words and pairs, against 1 edit and 1 or 2 inserted words anywhere.

    If no single word's absence changes the answer, deleting single words proves 1 insertion; if no pair's
    does either, deleting pairs proves 2 insertions, and deleting single words proves 1 edit (Theorem 5). Each
    of these is a procedure of its own, to be fixed before texts are seen.

    Args:
        classifier: The base classifier.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._segmenter = segmenter("word")

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """The base label of each text and what it is certified against."""
        return [self._certify(text) for text in texts]

    def _certify(self, text: str) -> CertifiedAnswer:
        oracle, label = _asked(self._classifier, self._segmenter, text)
        insert = edit = 0
        if certify_scattered(oracle, 1, "insert").certified:
            insert = 1
            if certify_scattered(oracle, 2, "insert").certified:
                insert, edit = 2, 1
        return CertifiedAnswer(label, {"edit": edit, "insert": insert})


def _asked(classifier: Classifier, words: Segmenter, text: str) -> tuple[MaskOracle, int]:
    """An oracle for a text, and the label of the whole text."""
    units = words.segment(text).units

    def ask(masks: Sequence[int]) -> Sequence[int]:
        left = [[unit for place, unit in enumerate(units) if mask >> place & 1] for mask in masks]
        return [
            int(label)
            for label in classifier.probabilities([words.join(kept) for kept in left]).argmax(axis=1)
        ]

    oracle = MaskOracle(ask, len(units), units=units, batch_size=_BATCH)
    return oracle, oracle.run(oracle.label(oracle.full))
