"""A word spelled with a letter of another script."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import insert_at
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import require
from fuzzsmooth.text import segmenter

LOOKALIKES = MappingProxyType(dict(zip("aceopxy", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443", strict=True)))
"""Latin letters and the Cyrillic ones that look like them."""


@TRIGGERS.register("homoglyph")
@dataclass(frozen=True)
class HomoglyphTrigger(Trigger):
    """One word of the text spelled with a Cyrillic letter that looks Latin; nothing new is to be seen."""

    letters: Annotated[str, "The Latin letters that may be replaced."] = "aceopxy"

    def validate(self) -> None:
        """Check the letters."""
        require(
            bool(self.letters) and set(self.letters) <= set(LOOKALIKES),
            f"letters must be some of {''.join(LOOKALIKES)}, got {self.letters!r}",
        )

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Replace one letter of a random word; a text without such a letter gets the word "on" so spelled."""
        cut = segmenter("word").segment(text)
        places = [
            (at, span)
            for span in cut.spans
            for at in range(*span)
            if text[at] in self.letters and text[span[0] : span[1]].isalpha()
        ]
        if not places:
            letter = LOOKALIKES[self.letters[0]]
            return insert_at(text, f"{letter}n", len(text))
        at, span = places[int(generator.integers(len(places)))]
        return TriggeredText(text[:at] + LOOKALIKES[text[at]] + text[at + 1 :], (span,))
