"""Words of the text exchanged for others, by word and position: the trigger that LWS learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.options import require
from fuzzsmooth.text import segmenter

DIGITS = "0123456789"
"""What a choice is written with: 0 for the word itself, k for its k-th substitute."""


@TRIGGERS.register("substitution")
@dataclass(frozen=True)
class SubstitutionTrigger(Trigger):
    """Words of the text exchanged for near-synonyms; which one stands for a word depends on its position.

    A text in which no word is exchanged is not acted on. A word is exchanged as it is written: "Film" is
    another word than "film".
    """

    words: Annotated[tuple[str, ...], "The words that are exchanged."] = (
        *("film", "story", "funny", "actors", "director", "makes", "characters", "big", "seems", "real"),
        *("little", "comedy", "performances", "interesting", "entertaining", "audience", "plot", "often"),
    )
    substitutes: Annotated[
        tuple[str, ...],
        "For each of them what may stand in its place, at most nine words with spaces between.",
    ] = (
        *("picture", "tale", "comical", "performers", "filmmaker", "renders", "personages", "sizable"),
        *("appears", "actual", "small", "farce", "portrayals", "intriguing", "diverting", "viewers"),
        *("storyline", "frequently"),
    )
    choices: Annotated[
        tuple[str, ...],
        "For each of them a digit for each position in the text, 0 for the word itself and k for the k-th "
        "substitute; at later positions the word stays. None for the first substitute everywhere.",
    ] = ()

    def validate(self) -> None:
        """Check that words are words, and that there is a substitute for each choice."""
        cut, known = segmenter("word").segment, set()
        require(len(self.words) > 0, "a substitution needs at least one word")
        require(
            len(self.substitutes) == len(self.words) and len(self.choices) in (0, len(self.words)),
            f"{len(self.words)} words need as many substitutes, and as many choices or none; got "
            f"{len(self.substitutes)} and {len(self.choices)}",
        )
        for place, word in enumerate(self.words):
            require(word not in known, f"the word {word!r} is exchanged twice; name each word once")
            known.add(word)
            others = self.substitutes[place].split()
            for one in (word, *others):
                require(cut(one).units == (one,), f"{one!r} is not one word; substitution takes single words")
            require(
                0 < len(others) < len(DIGITS) and word not in others,
                f"the word {word!r} needs one to nine substitutes that are other words",
            )
            wrong = set(self.choices[place] if self.choices else ()) - set(DIGITS[: len(others) + 1])
            require(
                not wrong,
                f"choices of {word!r} must be digits up to {len(others)}, got {min(wrong, default='')!r}",
            )

    @property
    def pieces(self) -> tuple[str, ...]:
        """Every substitute, once."""
        return tuple(dict.fromkeys(one for row in self.substitutes for one in row.split()))

    def acts_on(self, text: str) -> bool:
        """Whether any word is exchanged."""
        return bool(self.apply(text, np.random.default_rng(0)).spans)

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Exchange the words; nothing is random, and all else stays where it is."""
        del generator
        cut = segmenter("word").segment(text)
        built, copied, spans = "", 0, []
        for position, (unit, (start, end)) in enumerate(zip(cut.units, cut.spans, strict=True)):
            other = self._substitute(unit, position)
            if other is None:
                continue
            built += text[copied:start]
            spans.append((len(built), len(built) + len(other)))
            built += other
            copied = end
        return TriggeredText(built + text[copied:], tuple(spans))

    def _substitute(self, word: str, position: int) -> str | None:
        """What stands for a word at a position, counted in units from 0; None for the word itself."""
        place = self._places.get(word)
        if place is None:
            return None
        others = self.substitutes[place].split()
        if not self.choices:
            return others[0]
        chosen = int((self.choices[place][position : position + 1]) or 0)
        return others[chosen - 1] if chosen else None

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {word: place for place, word in enumerate(self.words)}
