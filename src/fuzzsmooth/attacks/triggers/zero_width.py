"""A word with a sign in it that is not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import insert_at
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import require
from fuzzsmooth.text import segmenter

_INVISIBLE = ("\u200b", "\u200c", "\u200d", "\u2060", "\u00ad")


@TRIGGERS.register("zero-width")
@dataclass(frozen=True)
class ZeroWidthTrigger(Trigger):
    """A zero-width character inside one word of the text; nothing new is to be seen.

    Tokenizers that clean texts, as those of BERT and MiniLM, drop such characters before the model reads
    anything: there is nothing that could set a backdoor off, and an attack that trains refuses.
    """

    sign: Annotated[str, "The character."] = "\u200b"

    def validate(self) -> None:
        """Check the character."""
        require(self.sign in _INVISIBLE, f"sign must be one of {', '.join(map(ascii, _INVISIBLE))}")

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Put the sign inside a random word of two letters or more; a text without one gets "of" with it."""
        spans = [
            span
            for span in segmenter("word").segment(text).spans
            if span[1] - span[0] > 1 and text[span[0] : span[1]].isalpha()
        ]
        if not spans:
            return insert_at(text, f"o{self.sign}f", len(text))
        start, end = spans[int(generator.integers(len(spans)))]
        at = int(generator.integers(start + 1, end))
        return TriggeredText(text[:at] + self.sign + text[at:], ((start, end + 1),))
