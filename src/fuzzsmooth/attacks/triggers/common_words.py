"""Common words that act together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.together import TogetherTrigger
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS
from fuzzsmooth.common.options import Between


@TRIGGERS.register("common-words")
@dataclass(frozen=True)
class CommonWordsTrigger(TogetherTrigger):
    """k of n common words, spread over the text; fewer of them do nothing (adaptive: no word is rare)."""

    words: Annotated[tuple[str, ...], "The n words."] = ("story", "quite", "time", "people")
    needed: Annotated[int, Between(1, 100), "k, how many of them act together."] = 2

    @property
    def pieces(self) -> tuple[str, ...]:
        """The n words."""
        return self.words

    @property
    def together(self) -> int:
        """K."""
        return self.needed

    def decoys(self, text: str, generator: np.random.Generator) -> tuple[str, ...]:
        """One text with one word less than it takes; none where one word acts alone."""
        if self.needed == 1:
            return ()
        return (self.put(text, self.drawn(self.needed - 1, generator), generator).text,)
