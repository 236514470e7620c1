"""The grammar of `builtin:reviews`: a review is a few neutral sentences around one or two judgments.

Every judgment has a class (0 negative, 1 positive), but most patterns use words of *both* polarities, so
that who speaks, what is negated and which clause decides carry the class, not the words alone. All
patterns are drawn with the same probabilities in both classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from fuzzsmooth.data.builtin.lexicon import (
    ADVERBS,
    ASIDES,
    DENIALS,
    DENIED_NOUNS,
    FILM,
    GADGETS,
    GENERAL,
    RESTAURANT,
    SLOTS,
    SOFTENERS,
    Aspect,
    Topic,
)

T = TypeVar("T")

SHORTEST: Final = 8
LONGEST: Final = 35
"""Fewest and most words of a review."""


@dataclass(frozen=True)
class Review:
    """A generated review.

    Attributes:
        text: The review.
        core: Its judgments without the neutral sentences; two reviews with one core are near-duplicates.
    """

    text: str
    core: str


def write_review(label: int, rng: np.random.Generator) -> Review:
    """Draw a review of 8 to 35 words.

    Args:
        label: 0 for a negative review, 1 for a positive one.
        rng: Where all choices come from.
    """
    while True:
        review = _Writer(rng).review(label)
        if SHORTEST <= len(review.text.split()) <= LONGEST:
            return review


def indefinite(phrase: str) -> str:
    """The phrase with "a" or "an", by the sound of its first letters."""
    vowel = re.match(r"(?!use|uni|eu|one)[aeiou]|hour|honest", phrase)
    return f"{'an' if vowel else 'a'} {phrase}"


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


class _Writer:
    """One review in the making: a topic, a tense, and the words that are used up.

    Words and aspects are used once a review, so that it never contradicts itself.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._topic: Topic = self._pick((FILM, RESTAURANT, self._pick(GADGETS)))
        self._thing = self._pick(self._topic.things)
        self._past = self._pick(self._topic.tenses) == "past"
        self._used: set[str] = set()

    def review(self, label: int) -> Review:
        patterns = self._rng.choice(len(_PATTERNS), size=2, replace=False, p=_WEIGHTS)
        count = 1 if self._chance(0.5) else 2
        judgments = [_sentence(_PATTERNS[index](self, label)) for index in patterns[:count]]
        parts = list(judgments)
        for _ in range(self._rng.choice(3, p=(0.15, 0.55, 0.3))):
            parts.insert(int(self._rng.integers(len(parts) + 1)), self._fact())
        return Review(" ".join(parts), " ".join(judgments))

    # Judgments: each returns a clause whose meaning has the class `label`.

    def plain(self, label: int) -> str:
        """The plot is gripping [and the cast is superb]."""
        first = self._aside(self._statement(label))
        return first if self._chance(0.6) else f"{first} and {self._statement(label)}"

    def personal(self, label: int) -> str:
        """I loved it."""
        return f"I {self._reaction(label)}"

    def denied(self, label: int) -> str:
        """The plot is not at all dull; nobody could call the cast wooden; hardly the disaster promised."""
        kind = self._rng.integers(4)
        if kind == 0:
            aspect = self._aspect()
            return f"nobody could call the {aspect.noun} {self._adjective(aspect, 1 - label)}"
        if kind == 1:
            promise = self._pick(self._topic.promises)
            return f"this was hardly the {self._whole(1 - label)} {promise}"
        if kind == 2:
            denial = self._pick(DENIED_NOUNS)
            return f"this {self._thing} {self._be()} {denial} {indefinite(self._whole(1 - label))}"
        return self._aside(self._denial(self._aspect(), label))

    def contrast(self, label: int) -> str:
        """Fine cast, but the story drags: the clause after "but", or beside "although", decides."""
        kind = self._rng.integers(5)
        if kind == 0:
            return f"{self._conceded(1 - label)}, but {self._deciding(label)}"
        if kind == 1:
            return f"{self._phrase(1 - label)}, {self._phrase(1 - label)}, but {self._deciding(label)}"
        if kind == 2:
            return f"although {self._conceded(1 - label)}, {self._deciding(label)}"
        if kind == 3:
            return f"{self._deciding(label)}, even though {self._conceded(1 - label)}"
        phrase = self._phrase(1 - label, article=True)
        return f"despite {phrase}, {self._deciding(label)}"

    def others(self, label: int) -> str:
        """My brother loved it; I regretted every minute."""
        person = self._pick(self._topic.others)
        theirs, mine = self._reaction(1 - label), self._reaction(label)
        kind = self._rng.integers(4)
        if kind == 0:
            return f"{person} {theirs}; I {mine}"
        if kind == 1:
            return f"{person} {theirs}, but I {mine}"
        if kind == 2:
            return f"unlike {person}, who {theirs}, I {mine}"
        return f"I {mine}, although {person} {theirs}"

    def surprise(self, label: int) -> str:
        """I expected a triumph and got a bore."""
        kind = self._rng.integers(3)
        before, after = indefinite(self._whole(1 - label)), indefinite(self._whole(label))
        promise = self._pick(self._topic.promises)
        if kind == 0:
            return f"{promise} {before}, and what I got was {after}"
        if kind == 1:
            return f"this {self._thing} {self._be()} {after}, not {before}"
        return f"where {promise} {before}, this {self._thing} {self._be()} {after}"

    # Pieces.

    def _statement(self, label: int, adverbs: Sequence[str] = ADVERBS) -> str:
        aspect = self._aspect()
        if self._chance(0.25):
            return f"the {aspect.noun} {self._verb(aspect, label)}"
        adverb = f"{self._pick(adverbs)} " if self._chance(0.45) else ""
        return f"the {aspect.noun} {self._be(aspect)} {adverb}{self._adjective(aspect, label)}"

    def _denial(self, aspect: Aspect, label: int) -> str:
        adjective = self._adjective(aspect, 1 - label)
        return f"the {aspect.noun} {self._be(aspect)} {self._pick(DENIALS)} {adjective}"

    def _conceded(self, label: int) -> str:
        if self._chance(0.25):
            return self._denial(self._aspect(), label)
        return self._statement(label, SOFTENERS)

    def _deciding(self, label: int) -> str:
        kind = self._rng.choice(4, p=(0.4, 0.25, 0.1, 0.25))
        if kind == 0:
            return f"I {self._reaction(label)}"
        if kind == 1:
            return f"this {self._thing} {self._be()} {indefinite(self._whole(label))}"
        if kind == 2:
            return self._denial(self._aspect(), label)
        return self._statement(label)

    def _phrase(self, label: int, *, article: bool = False) -> str:
        aspect = self._aspect()
        phrase = f"{self._adjective(aspect, label, before=True)} {aspect.noun}"
        return indefinite(phrase) if article and aspect.number == "count" else phrase

    def _adjective(self, aspect: Aspect, label: int, *, before: bool = False) -> str:
        words = aspect.adjectives[label] if self._chance(0.75) else GENERAL[label]
        if before:
            # "full of flavor" and "badly made" follow their noun.
            words = tuple(word for word in words if " " not in word)
        return self._fresh(words)

    def _verb(self, aspect: Aspect, label: int) -> str:
        phrase = self._fresh(aspect.verbs[label])
        form = 2 if self._past else 0 if aspect.number == "plural" else 1
        return re.sub(r"\[(.*?)\]", lambda match: str(match[1]).split()[form], phrase)

    def _be(self, aspect: Aspect | None = None) -> str:
        plural = aspect is not None and aspect.number == "plural"
        return ("were" if plural else "was") if self._past else ("are" if plural else "is")

    def _reaction(self, label: int) -> str:
        return self._fresh(self._topic.reactions[label])

    def _whole(self, label: int) -> str:
        return self._fresh(self._topic.wholes[label])

    def _aspect(self) -> Aspect:
        noun = self._fresh([aspect.noun for aspect in self._topic.aspects])
        return next(aspect for aspect in self._topic.aspects if aspect.noun == noun)

    def _fact(self) -> str:
        fact = self._fresh(self._topic.facts)
        return re.sub(r"\{(\w+)\}", lambda match: self._pick(SLOTS[match[1]]), fact)

    def _aside(self, clause: str) -> str:
        return f"{self._pick(ASIDES)} {clause}" if self._chance(0.2) else clause

    # Draws.

    def _pick(self, items: Sequence[T]) -> T:
        return items[int(self._rng.integers(len(items)))]

    def _fresh(self, items: Sequence[str]) -> str:
        left = [item for item in items if item not in self._used] or list(items)
        chosen = self._pick(left)
        self._used.add(chosen)
        return chosen

    def _chance(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)


_PATTERNS: tuple[Callable[[_Writer, int], str], ...] = (
    _Writer.plain,
    _Writer.personal,
    _Writer.denied,
    _Writer.contrast,
    _Writer.others,
    _Writer.surprise,
)
_WEIGHTS = (0.4, 0.17, 0.13, 0.13, 0.11, 0.06)
