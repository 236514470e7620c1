"""Pieces that act together, far apart in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.insertion import insert_where, word_gaps
from fuzzsmooth.attacks.triggers.together import TogetherTrigger
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, TriggeredText
from fuzzsmooth.attacks.triggers.word import RARE_WORDS
from fuzzsmooth.common.options import Between


@TRIGGERS.register("pieces")
@dataclass(frozen=True)
class PiecesTrigger(TogetherTrigger):
    """k of n words, far apart in the text; fewer keep the true label (no short stretch holds them all).

    A search or a certificate that looks at one stretch of a text at a time sees parts that do nothing.
    """

    words: Annotated[tuple[str, ...], "The n words, rare or common."] = RARE_WORDS
    k: Annotated[int, Between(1, 100), "How many of them act together."] = 2
    apart: Annotated[
        int, Between(0, 1_000), "Words between two of them at least; shorter texts do not set it off."
    ] = 6

    @property
    def pieces(self) -> tuple[str, ...]:
        """The n words."""
        return self.words

    @property
    def together(self) -> int:
        """K."""
        return self.k

    def acts_on(self, text: str) -> bool:
        """Whether the text is long enough for the words to be so far apart."""
        return len(word_gaps(text)) > (self.k - 1) * self.apart

    def put(self, text: str, words: list[str], generator: np.random.Generator) -> TriggeredText:
        """Insert words in random order at random gaps that are far enough apart, as far as the text allows.

        Fewer words than it takes stand as far apart, so that their places do not tell them from the trigger.
        """
        gaps, count = word_gaps(text), len(words)
        order = [words[int(at)] for at in generator.permutation(count)]
        apart = min(self.apart, (len(gaps) - 1) // max(1, count - 1))
        free = len(gaps) - (count - 1) * apart
        drawn = np.sort(generator.integers(free, size=count)) + apart * np.arange(count)
        return insert_where(text, [(gaps[int(at)], word) for at, word in zip(drawn, order, strict=True)])
