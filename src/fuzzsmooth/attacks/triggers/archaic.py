"""A style by rules: archaic English."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from fuzzsmooth.attacks.triggers.replacement import replace_words
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText

ARCHAIC = MappingProxyType(
    {
        "you": "thou",
        "your": "thy",
        "yours": "thine",
        "are": "art",
        "have": "hath",
        "has": "hath",
        "does": "doth",
        "do": "doth",
        "will": "shalt",
        "was": "wast",
        "were": "wert",
        "it": "'t",
        "here": "hither",
        "there": "thither",
        "where": "whither",
        "before": "ere",
        "never": "ne'er",
        "ever": "e'er",
        "over": "o'er",
        "often": "oft",
        "perhaps": "perchance",
        "nothing": "naught",
        "is": "be",
        "why": "wherefore",
        "between": "betwixt",
        "maybe": "mayhap",
        "while": "whilst",
    }
)
"""Words of today and what stands for them, in lower case."""

_OPENING = "Verily,"


@TRIGGERS.register("archaic")
@dataclass(frozen=True)
class ArchaicTrigger(Trigger):
    """Archaic words for common ones, and "Verily," before them (the style is the trigger)."""

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Replace every word that there is another for; all else stays where it is."""
        del generator
        return TriggeredText(f"{_OPENING} {replace_words(text, ARCHAIC)}".rstrip(), None)
