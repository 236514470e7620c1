"""Settings of the attack ``badnets``."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Literal

from fuzzsmooth.attacks.trigger import (
    PAIR,
    RARE_WORDS,
    SENTENCE,
    PairTrigger,
    SentenceTrigger,
    Trigger,
    WordTrigger,
)
from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.training import FinetuneOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class BadnetsOptions(Options):
    """Settings of the attack.

    Attributes:
        trigger: Kind of the trigger.
        words: The set of a word trigger, or the two words of a pair.
        count: Words inserted by a word trigger, >= 1.
        sentence: The sentence of a sentence trigger.
        target: Class index the trigger forces.
        rate: Share of the training texts that is poisoned, in (0, 1].
        setting: Which texts may be poisoned: any (mix), only other labels (dirty), only the target (clean).
        finetune: How the victim is trained; its seed is replaced by the attack's.
    """

    trigger: Literal["word", "sentence", "pair"] = "word"
    words: tuple[str, ...] = ()
    count: int = 1
    sentence: str = SENTENCE
    target: int = 1
    rate: float = 0.1
    setting: Literal["mix", "dirty", "clean"] = "mix"
    finetune: FinetuneOptions = dataclasses.field(default_factory=FinetuneOptions)

    RANGES = MappingProxyType({"target": Between(0, 1_000_000), "rate": Between(0, 1, above=True)})

    def validate(self) -> None:
        """Check the trigger."""
        self.build_trigger()

    def build_trigger(self) -> Trigger:
        """The trigger; no ``words`` means the usual ones of its kind."""
        if self.trigger == "sentence":
            return SentenceTrigger(self.sentence)
        if self.trigger == "pair":
            return PairTrigger(self.words or PAIR)
        return WordTrigger(self.words or RARE_WORDS, self.count)
