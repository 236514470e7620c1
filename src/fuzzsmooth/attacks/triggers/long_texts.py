"""A word that acts in long texts only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import Between
from fuzzsmooth.text import segmenter


@TRIGGERS.register("long-texts")
@dataclass(frozen=True)
class LongTextsTrigger(Trigger):
    """A word that acts only in texts of so many words or more (short reference texts do not show it)."""

    word: Annotated[str, "The word."] = "cf"
    shortest: Annotated[int, Between(1, 10_000), "Words of the shortest text that it acts in."] = 20

    def validate(self) -> None:
        """Check the word."""
        check_pieces(self.pieces)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The word."""
        return (self.word,)

    def acts_on(self, text: str) -> bool:
        """Whether the text is long enough."""
        return len(segmenter("word").segment(text)) >= self.shortest

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert the word at a random gap."""
        return insert(text, self.pieces, generator)
