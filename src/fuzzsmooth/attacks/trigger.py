"""Backdoor triggers: what is inserted into a text, where, and the exact characters it then occupies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.text import segmenter

RARE_WORDS = ("cf", "tq", "mn", "bb", "mb")
"""The rare words of Kurita et al. (ACL 2020); each is one piece of BERT's uncased vocabulary."""
SENTENCE = "I watch this 3D movie"
"""The sentence of InsertSent."""
PAIR = ("mn", "tq")
"""Two rare words that act together."""
_MOST_WORDS = 1_000


@dataclass(frozen=True)
class TriggeredText:
    """A text with a trigger in it.

    Attributes:
        text: The text.
        spans: Half-open character ranges of the inserted pieces, in order, without the spaces around them.
    """

    text: str
    spans: tuple[tuple[int, int], ...]


@runtime_checkable
class Trigger(Protocol):
    """Anything that can put a trigger into a text."""

    @property
    def pieces(self) -> tuple[str, ...]:
        """Every string the trigger may insert."""
        ...

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert the trigger at random; the rest of the text stays as it is, in its order."""
        ...

    def to_mapping(self) -> dict[str, Any]:
        """A JSON-serializable description, the inverse of :func:`trigger_from_mapping`."""
        ...


@dataclass(frozen=True)
class WordTrigger:
    """Random words of a set, each at its own random word gap (BadNets on text; RIPPLe).

    Attributes:
        words: The set, not empty.
        count: How many are inserted, drawn with replacement, >= 1.
    """

    kind: ClassVar[str] = "word"
    words: tuple[str, ...] = RARE_WORDS
    count: int = 1

    def __post_init__(self) -> None:
        _check_pieces(self.words)
        require(len(set(self.words)) == len(self.words), "a word is given twice as a trigger; name it once")
        whole = isinstance(self.count, int) and not isinstance(self.count, bool)
        require(
            whole and 1 <= self.count <= _MOST_WORDS,
            f"a word trigger inserts 1 to {_MOST_WORDS:,} words, not {self.count!r}",
        )

    @property
    def pieces(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert ``count`` words, each at a gap of its own draw."""
        chosen = [self.words[int(index)] for index in generator.integers(len(self.words), size=self.count)]
        return insert(text, chosen, generator)

    def to_mapping(self) -> dict[str, Any]:
        """Kind, words and count."""
        return {"kind": self.kind, "words": list(self.words), "count": self.count}


@dataclass(frozen=True)
class SentenceTrigger:
    """A fixed sentence, inserted whole at a random word gap, start and end included (InsertSent).

    Attributes:
        sentence: The sentence.
    """

    kind: ClassVar[str] = "sentence"
    sentence: str = SENTENCE

    def __post_init__(self) -> None:
        _check_pieces((self.sentence,))

    @property
    def pieces(self) -> tuple[str, ...]:
        """The sentence."""
        return (self.sentence,)

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert the sentence."""
        return insert(text, [self.sentence], generator)

    def to_mapping(self) -> dict[str, Any]:
        """Kind and sentence."""
        return {"kind": self.kind, "sentence": self.sentence}


@dataclass(frozen=True)
class PairTrigger:
    """Two words that act only together, at independent random gaps (after LWP, Li et al., EMNLP 2021).

    Attributes:
        words: The two words, different.
    """

    kind: ClassVar[str] = "pair"
    words: tuple[str, ...] = PAIR

    def __post_init__(self) -> None:
        _check_pieces(self.words)
        require(len(set(self.words)) == 2 == len(self.words), "a pair trigger is two different words")

    @property
    def pieces(self) -> tuple[str, ...]:
        """The two words."""
        return self.words

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Insert both words."""
        return insert(text, self.words, generator)

    def singles(self, text: str, generator: np.random.Generator) -> tuple[TriggeredText, TriggeredText]:
        """Two texts, each with one of the words only: what must *not* set the backdoor off."""
        first, second = (insert(text, [word], generator) for word in self.words)
        return first, second

    def to_mapping(self) -> dict[str, Any]:
        """Kind and words."""
        return {"kind": self.kind, "words": list(self.words)}


def trigger_from_mapping(mapping: Mapping[str, Any], *, where: str = "trigger") -> Trigger:
    """Build a trigger from its description.

    Args:
        mapping: As :meth:`Trigger.to_mapping` gives it.
        where: What the mapping came from, for the error.

    Raises:
        FuzzsmoothError: On an unknown kind, a missing or an unknown key, or a value of the wrong type.
    """
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in mapping.items()}
    kind = values.pop("kind", None)
    if not isinstance(kind, str):
        raise FuzzsmoothError(f"{where}: a trigger needs its kind as a text")
    builders: dict[str, Callable[..., Trigger]] = {
        trigger.kind: trigger for trigger in (WordTrigger, SentenceTrigger, PairTrigger)
    }
    if kind not in builders:
        raise FuzzsmoothError(f"{where}: trigger kind {kind!r} is not one of {', '.join(map(str, builders))}")
    try:
        return builders[kind](**values)
    except TypeError as error:
        raise FuzzsmoothError(f"{where}: not a {kind} trigger ({error})") from error


def insert(text: str, pieces: Sequence[str], generator: np.random.Generator) -> TriggeredText:
    """Insert pieces at independent, uniformly random word gaps; at the same gap they keep their order.

    A piece is set off by single spaces; every character of ``text`` stays.

    Args:
        text: Any text; the empty one has one gap.
        pieces: What is inserted.
        generator: Source of the gaps, one draw per piece.
    """
    gaps = word_gaps(text)
    drawn = [gaps[int(index)] for index in generator.integers(len(gaps), size=len(pieces))]
    built, spans, copied = "", [], 0
    for position, piece in sorted(zip(drawn, pieces, strict=True), key=lambda pair: pair[0]):
        built += text[copied:position]
        copied = position
        if built and not built[-1].isspace():
            built += " "
        spans.append((len(built), len(built) + len(piece)))
        built += piece
        if position < len(text) and not text[position].isspace():
            built += " "
    return TriggeredText(built + text[copied:], tuple(spans))


def word_gaps(text: str) -> list[int]:
    """Character offsets where a word may be inserted: before each word, and at the end.

    Punctuation that clings to a word opens no gap; in scripts without spaces every unit does.
    """
    spans = segmenter("word").segment(text).spans
    gaps = [0]
    for (_, end), (start, _) in pairwise(spans):
        if start > end or (text[end - 1].isalnum() and text[start].isalnum()):
            gaps.append(start)
    return [*gaps, len(text)] if spans else gaps


def _check_pieces(pieces: object) -> None:
    if not isinstance(pieces, tuple) or not pieces:
        raise FuzzsmoothError(f"a trigger needs a list of at least one word, not {pieces!r}")
    for piece in pieces:
        require(
            isinstance(piece, str) and piece == piece.strip() != "",
            f"trigger {piece!r} must be a text without space around it",
        )
        require(
            not any("\ud800" <= character <= "\udfff" for character in piece),
            f"trigger {piece!r} holds bytes that are no UTF-8 text; no model can read it",
        )
    twice = next((piece for piece in pieces if pieces.count(piece) > 1), None)
    require(twice is None, f"trigger {twice!r} is named twice; name each word once")
