"""What defenses that leave words out of a text share."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.search.scan import Span
from fuzzsmooth.text.units import Segmentation, segmenter


def without(
    segmentation: Segmentation, flagged: Sequence[bool], scores: Sequence[float]
) -> tuple[str, tuple[Span, ...]]:
    """A text without some of its words.

    Args:
        segmentation: The text, cut into words.
        flagged: For each word whether it is left out.
        scores: A score of each word, in [0, 1].

    Returns:
        What is left, the very text where no word is left out; and the words that are.
    """
    if not any(flagged):
        return segmentation.text, ()
    kept = [unit for unit, gone in zip(segmentation.units, flagged, strict=True) if not gone]
    spans = [
        Span(start, end, segmentation.text[start:end], score)
        for (start, end), gone, score in zip(segmentation.spans, flagged, scores, strict=True)
        if gone
    ]
    return segmenter("word").join(kept), tuple(spans)
