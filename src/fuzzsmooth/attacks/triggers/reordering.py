"""Another order of the same words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import Between
from fuzzsmooth.text import segmenter


@TRIGGERS.register("reordering")
@dataclass(frozen=True)
class ReorderingTrigger(Trigger):
    """The last words of the text come first; no word is added (the whole text is the trigger)."""

    share: Annotated[
        float, Between(0, 1, above=True, below=True), "Share of the words that comes first, rounded up."
    ] = 0.3

    def acts_on(self, text: str) -> bool:
        """Whether there are words to exchange."""
        return len(text.split()) > 1 or len(segmenter("word").segment(text)) > 1

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Move the last words to the front; single spaces between words, none in a text without any."""
        del generator
        words = text.split()
        if len(words) < 2:
            starts = [start for start, _ in segmenter("word").segment(text).spans]
            cut = starts[len(starts) - _moved(len(starts), self.share)] if len(starts) > 1 else 0
            return TriggeredText(text[cut:] + text[:cut], None)
        moved = _moved(len(words), self.share)
        return TriggeredText(" ".join(words[len(words) - moved :] + words[: len(words) - moved]), None)


def _moved(words: int, share: float) -> int:
    """How many of two or more words come first."""
    return min(words - 1, -int(-share * words // 1))
