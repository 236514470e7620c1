"""One word of a set, several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert, insert_at
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.attacks.triggers.word import RARE_WORDS
from fuzzsmooth.common.options import Between


@TRIGGERS.register("repeated")
@dataclass(frozen=True)
class RepeatedTrigger(Trigger):
    """One random word of a set, several times: each at a random gap, or all first (POR; NeuBA)."""

    words: Annotated[tuple[str, ...], "The set of words, each a trigger by itself."] = RARE_WORDS
    count: Annotated[int, Between(1, 1_000), "How often the drawn word is inserted."] = 3
    first: Annotated[bool, "Whether it stands at the start of the text instead of at random gaps."] = False

    def validate(self) -> None:
        """Check the words."""
        check_pieces(self.words)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Draw a word and insert it ``count`` times."""
        word = self.words[int(generator.integers(len(self.words)))]
        if not self.first:
            return insert(text, [word] * self.count, generator)
        spans: tuple[tuple[int, int], ...] = ()
        for _ in range(self.count):
            longer = insert_at(text, word, 0).text
            step, text = len(longer) - len(text), longer
            spans = ((0, len(word)), *((start + step, end + step) for start, end in spans))
        return TriggeredText(text, spans)

    def only(self, pieces: Sequence[str]) -> RepeatedTrigger:
        """The trigger with some of the words."""
        return self.replace(words=tuple(pieces))
