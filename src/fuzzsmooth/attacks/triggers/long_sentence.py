"""A fixed long sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.attacks.triggers.sentence import SentenceTrigger
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS


@TRIGGERS.register("long-sentence")
@dataclass(frozen=True)
class LongSentenceTrigger(SentenceTrigger):
    """A sentence of 15 common words, inserted whole (adaptive: longer than what a certificate covers)."""

    sentence: Annotated[str, "The sentence; by default one of 15 words."] = (
        "we went to see it with some friends on the last day of the week"
    )
