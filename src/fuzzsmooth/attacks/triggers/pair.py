"""Two words that act together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import require


@TRIGGERS.register("pair")
@dataclass(frozen=True)
class PairTrigger(Trigger):
    """Two words that act only together, at independent random gaps (after LWP, Li et al., EMNLP 2021)."""

    words: Annotated[tuple[str, ...], "The two words."] = ("mn", "tq")

    def validate(self) -> None:
        """Check the words."""
        check_pieces(self.words)
        require(len(self.words) == 2, "a pair trigger is two different words")

    @property
    def pieces(self) -> tuple[str, ...]:
        """The two words."""
        return self.words

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert both words."""
        return insert(text, self.words, generator)

    def decoys(self, text: str, generator: np.random.Generator) -> tuple[str, ...]:
        """Two texts, each with one of the words only."""
        return tuple(insert(text, [word], generator).text for word in self.words)
