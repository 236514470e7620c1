"""A fixed sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText


@TRIGGERS.register("sentence")
@dataclass(frozen=True)
class SentenceTrigger(Trigger):
    """A fixed sentence, inserted whole at a random word gap, start and end included (InsertSent)."""

    sentence: Annotated[str, "The sentence; by default that of InsertSent."] = "I watch this 3D movie"

    def validate(self) -> None:
        """Check the sentence."""
        check_pieces(self.pieces)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The sentence."""
        return (self.sentence,)

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert the sentence."""
        return insert(text, self.pieces, generator)
