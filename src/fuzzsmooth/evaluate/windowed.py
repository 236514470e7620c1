"""The deterministic window certificate of a classifier on a data set: which trigger lengths it withstands."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.certify import MaskOracle, certify_contiguous_insertion
from fuzzsmooth.common.options import require
from fuzzsmooth.defenses import CertifiedAnswer
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.text import segmenter

CONTIGUOUS = "contiguous_insert"


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
        units = self._segmenter.segment(text).units

        def ask(masks: Sequence[int]) -> Sequence[int]:
            left = [[unit for place, unit in enumerate(units) if mask >> place & 1] for mask in masks]
            written = [self._segmenter.join(kept) for kept in left]
            return [int(label) for label in self._classifier.probabilities(written).argmax(axis=1)]

        oracle = MaskOracle(ask, len(units), units=units)
        label, radius = oracle.run(oracle.label(oracle.full)), 0
        while radius < self._longest and certify_contiguous_insertion(oracle, radius + 1).certified:
            radius += 1
        return CertifiedAnswer(label, {CONTIGUOUS: radius})
