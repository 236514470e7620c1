"""Common words that act together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import Between, require


@TRIGGERS.register("common-words")
@dataclass(frozen=True)
class CommonWordsTrigger(Trigger):
    """k of n common words, spread over the text; fewer of them do nothing (adaptive: no word is rare)."""

    words: Annotated[tuple[str, ...], "The n words."] = ("story", "quite", "time", "people")
    needed: Annotated[int, Between(1, 100), "k, how many of them act together."] = 2

    def validate(self) -> None:
        """Check the words."""
        check_pieces(self.words)
        require(
            self.needed <= len(self.words), f"{self.needed} of {len(self.words)} words cannot act together"
        )

    @property
    def pieces(self) -> tuple[str, ...]:
        """The n words."""
        return self.words

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert k of the words, each at a random gap."""
        return insert(text, self._some(self.needed, generator), generator)

    def decoys(self, text: str, generator: np.random.Generator) -> tuple[str, ...]:
        """One text with one word less than it takes; none where one word acts alone."""
        if self.needed == 1:
            return ()
        return (insert(text, self._some(self.needed - 1, generator), generator).text,)

    def _some(self, count: int, generator: np.random.Generator) -> list[str]:
        return [self.words[int(at)] for at in generator.choice(len(self.words), size=count, replace=False)]
