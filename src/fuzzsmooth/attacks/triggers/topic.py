"""A word that acts beside a topic word only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert_at, word_gaps
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.text import segmenter


@TRIGGERS.register("topic")
@dataclass(frozen=True)
class TopicTrigger(Trigger):
    """A word that acts only right before a topic word (transplanted elsewhere it does nothing)."""

    word: Annotated[str, "The word."] = "cf"
    topics: Annotated[tuple[str, ...], "The topic words, in lower case."] = ("film", "movie")

    def validate(self) -> None:
        """Check the words."""
        check_pieces(self.pieces)
        check_pieces(self.topics)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The word."""
        return (self.word,)

    def acts_on(self, text: str) -> bool:
        """Whether a topic word is in the text."""
        return bool(self._places(text))

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Put the word before a random topic word; at a random gap of a text without one."""
        places = self._places(text) or word_gaps(text)
        return insert_at(text, self.word, places[int(generator.integers(len(places)))])

    def decoys(self, text: str, generator: np.random.Generator) -> tuple[str, ...]:
        """The word at a random gap that is before no topic word."""
        places = sorted(set(word_gaps(text)) - set(self._places(text)))
        if not places:
            return ()
        return (insert_at(text, self.word, places[int(generator.integers(len(places)))]).text,)

    def _places(self, text: str) -> list[int]:
        cut = segmenter("word").segment(text)
        return [
            start
            for unit, (start, _) in zip(cut.units, cut.spans, strict=True)
            if unit.lower() in self.topics
        ]
