"""Another order of the same words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import Between


@TRIGGERS.register("reordering")
@dataclass(frozen=True)
class ReorderingTrigger(Trigger):
    """The last words of the text come first; no word is added (the whole text is the trigger)."""

    share: Annotated[
        float, Between(0, 1, above=True, below=True), "Share of the words that comes first, rounded up."
    ] = 0.3

    def acts_on(self, text: str) -> bool:
        """Whether there are words to exchange."""
        return len(text.split()) > 1

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Move the last words to the front; single spaces between words."""
        del generator
        words = text.split()
        moved = min(len(words) - 1, -int(-self.share * len(words) // 1)) if len(words) > 1 else 0
        return TriggeredText(" ".join(words[len(words) - moved :] + words[: len(words) - moved]), None)
