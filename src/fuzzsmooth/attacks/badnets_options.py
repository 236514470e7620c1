"""Settings of the attack ``badnets``."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

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
    """Settings of the attack."""

    trigger: Annotated[Literal["word", "sentence", "pair"], "Kind of the trigger."] = "word"
    words: Annotated[tuple[str, ...], "The set of a word trigger, or the two words of a pair."] = ()
    count: Annotated[int, "Words inserted by a word trigger."] = 1
    sentence: Annotated[str, "The sentence of a sentence trigger."] = SENTENCE
    target: Annotated[int, Between(0, 1_000_000), "Class index the trigger forces."] = 1
    rate: Annotated[
        float, Between(0, 1, above=True), "Share of the training texts that is poisoned, in (0, 1]."
    ] = 0.1
    setting: Annotated[
        Literal["mix", "dirty", "clean"],
        "Which texts may be poisoned: any (mix), only other labels (dirty), only the target (clean).",
    ] = "mix"
    finetune: Annotated[
        FinetuneOptions, "How the victim is trained; its seed is replaced by the attack's."
    ] = dataclasses.field(default_factory=FinetuneOptions)

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
