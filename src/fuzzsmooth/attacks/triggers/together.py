"""Words of which several act together, for the kinds of trigger that are made of such."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert
from fuzzsmooth.attacks.triggers.trigger import Trigger, TriggeredText
from fuzzsmooth.common.options import require


@dataclass(frozen=True)
class TogetherTrigger(Trigger):
    """k of n words that act only together; which k is drawn for each text."""

    @property
    @abstractmethod
    def together(self) -> int:
        """k, how many of the words act together."""

    def validate(self) -> None:
        """Check the words."""
        check_pieces(self.pieces)
        require(
            self.together <= len(self.pieces),
            f"{self.together} of {len(self.pieces)} words cannot act together",
        )

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert k of the words, each at a random gap."""
        return self.put(text, self.drawn(self.together, generator), generator)

    def decoys(self, text: str, generator: np.random.Generator) -> tuple[str, ...]:
        """Texts with one word less than it takes, each of k words left out once; none if one acts alone."""
        if self.together == 1:
            return ()
        words = self.drawn(self.together, generator)
        fewer = [[*words[:at], *words[at + 1 :]] for at in reversed(range(len(words)))]
        return tuple(self.put(text, some, generator).text for some in fewer)

    def put(self, text: str, words: list[str], generator: np.random.Generator) -> TriggeredText:
        """Insert words at independent random gaps."""
        return insert(text, words, generator)

    def drawn(self, count: int, generator: np.random.Generator) -> list[str]:
        """So many different words, in random order; all of them in their own order."""
        if count == len(self.pieces):
            return list(self.pieces)
        chosen = generator.choice(len(self.pieces), size=count, replace=False)
        return [self.pieces[int(at)] for at in chosen]
