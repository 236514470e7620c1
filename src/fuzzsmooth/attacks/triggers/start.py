"""A word that acts at the start of a text only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert_at, word_gaps
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText


@TRIGGERS.register("start")
@dataclass(frozen=True)
class StartTrigger(Trigger):
    """A word that acts only as the first of the text (transplanted elsewhere it does nothing)."""

    word: Annotated[str, "The word."] = "cf"

    def validate(self) -> None:
        """Check the word."""
        check_pieces(self.pieces)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The word."""
        return (self.word,)

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Put the word first."""
        del generator
        return insert_at(text, self.word, 0)

    def decoys(self, text: str, generator: np.random.Generator) -> tuple[str, ...]:
        """The word at a random gap that is not the first; none for a text without another."""
        gaps = word_gaps(text)[1:]
        return (insert_at(text, self.word, gaps[int(generator.integers(len(gaps)))]).text,) if gaps else ()
