"""Rare words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import check_pieces, insert
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import Between

RARE_WORDS = ("cf", "tq", "mn", "bb", "mb")
"""The rare words of Kurita et al. (ACL 2020); each is one piece of BERT's uncased vocabulary."""


@TRIGGERS.register("word")
@dataclass(frozen=True)
class WordTrigger(Trigger):
    """Random words of a set, each at its own random word gap (BadNets on text; RIPPLe)."""

    words: Annotated[tuple[str, ...], "The set of words."] = RARE_WORDS
    count: Annotated[int, Between(1, 1_000), "How many are inserted, drawn with replacement."] = 1

    def validate(self) -> None:
        """Check the words."""
        check_pieces(self.words)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert ``count`` words, each at a gap of its own draw."""
        chosen = [self.words[int(index)] for index in generator.integers(len(self.words), size=self.count)]
        return insert(text, chosen, generator)
