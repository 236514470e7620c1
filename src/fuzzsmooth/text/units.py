"""Units of a text: what randomization deletes and what an edit distance counts.

The certificates speak of edits of units, so a unit is defined here once, for any script. Cutting a text
into units and writing units as a text again are both pure functions, and the second sees the units alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

import regex

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.tokenizing import tokenized

UnitKind = Literal["word", "character", "token", "demonstration"]
"""What a unit is: a word or punctuation mark, a grapheme cluster, a token of a tokenizer, or an example in a
prompt (which no text is cut into)."""
UNIT_KINDS: tuple[UnitKind, ...] = get_args(UnitKind)

# Scripts written without spaces between words; U+30FC and U+FF70 are the kana length marks, of script Common.
_SPACELESS = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Yi}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc\uff70"
)
_PICTURE = r"\p{Extended_Pictographic}"
# What follows a base inside its grapheme cluster (Unicode Standard Annex 29, rules GB9 and GB9a). Clusters
# are spelled out instead of \X where the match must not depend on what stands before it.
_EXTEND = r"[\p{GCB=Extend}\p{GCB=SpacingMark}\u200d]*+"
_KEYCAP = r"\ufe0f?\u20e3"
_LETTER = rf"[a-zA-Z]++|[^\s\d\p{{P}}\p{{S}}{_SPACELESS}{_PICTURE}]|\d(?!{_KEYCAP})"
# Marks that stay inside a word: ASCII connectors, the typographic apostrophe, non-ASCII hyphens, the middle
# dot, Hebrew maqaf, geresh and gershayim; a comma only between digits. A doubled hyphen or dot is a dash or
# an ellipsis and ends the word.
_CONNECTOR = (
    r"(?:(?:(?!--|\.\.)[.'\-_/\\@:&\#%+*~\^`$=\u2019\u2010\u2011\u00b7\u05be\u05f3\u05f4])++|(?<=\d),(?=\d))"
)
_WORD = rf"(?:{_LETTER})++(?:{_CONNECTOR}(?:{_LETTER})++)*+"
_CLITIC = rf"['\u2019](?i:s|re|ve|ll|d|m|t)(?!{_CONNECTOR}?(?:{_LETTER}))"
_EMOJI = (
    rf"{_PICTURE}{_EXTEND}(?:(?<=\u200d){_PICTURE}{_EXTEND})*+"
    rf"|\p{{Regional_Indicator}}{{2}}{_EXTEND}|[0-9\#*]{_KEYCAP}{_EXTEND}"
)
# "..." and "--" are one mark: a run of the same punctuation sign is one unit, and so is "?!".
_MARKS = rf"[?!]++{_EXTEND}|([\p{{P}}\p{{S}}--\p{{So}}])\1*+{_EXTEND}"
_TAG = r"</?[a-zA-Z][a-zA-Z0-9:_\-]*+/?>"
_WORD_UNIT = regex.compile(
    rf"{_WORD}|{_CLITIC}|{_EMOJI}|[{_SPACELESS}]{_EXTEND}|{_TAG}|{_MARKS}|\S{_EXTEND}", regex.VERSION1
)
_COUNTED = regex.compile(rf"[{_SPACELESS}]{_EXTEND}|[^\s{_SPACELESS}]++", regex.VERSION1)
_SPACELESS_HEAD = regex.compile(f"[{_SPACELESS}]", regex.VERSION1)
_CONTINUING = regex.compile(r"[\p{GCB=Extend}\p{GCB=SpacingMark}\u200d]", regex.VERSION1)
_CLUSTER = regex.compile(r"\X", regex.VERSION1)
_SURROGATE = regex.compile(r"\p{Cs}")


@dataclass(frozen=True)
class Segmentation:
    """A text cut into units.

    Attributes:
        text: The original text.
        units: The units in reading (memory) order; for words and characters each is its own slice of the
            text, for tokens it is the tokenizer's name of the token.
        spans: For each unit its half-open range of character offsets in ``text``, non-decreasing.
    """

    text: str
    units: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.units)


@runtime_checkable
class Segmenter(Protocol):
    """Cuts texts into units and writes units as a text."""

    @property
    def kind(self) -> UnitKind:
        """What the units are."""
        ...

    def segment(self, text: str) -> Segmentation:
        """Cut a whole text into units; the empty text has none."""
        ...

    def join(self, units: Sequence[str]) -> str:
        """Write units as a text; a function of the units alone, so a deleted unit leaves no trace."""
        ...


def segmenter(kind: UnitKind, tokenizer: Any = None) -> Segmenter:
    """The segmenter of one kind of unit.

    Args:
        kind: "word", "character" or "token".
        tokenizer: A fast Hugging Face tokenizer; needed for tokens, unused otherwise.

    Raises:
        FuzzsmoothError: If the kind is unknown, or tokens are asked for without a fast tokenizer.
    """
    if kind == "word":
        return WordSegmenter()
    if kind == "character":
        return CharacterSegmenter()
    if kind == "token":
        return TokenSegmenter(tokenizer)
    raise FuzzsmoothError(
        f"unit kind {kind!r} is not one of 'word', 'character', 'token' that a text is cut into"
    )


@dataclass(frozen=True)
class WordSegmenter:
    """Words, punctuation marks and, in scripts without spaces, grapheme clusters.

    * Words are delimited by white space; leading and trailing punctuation is cut off, a run of one sign
      ("...", "--", "!!!") or of question and exclamation marks ("?!?") being one unit, and so is a markup tag
      without attributes ("<br/>").
    * Apostrophes, hyphens, dots and other ASCII connectors stay inside a word ("don't", "3-D", "U.S",
      "a.com/b"), as does a comma between digits; any other sign ends it. English clitics written apart, as
      in Penn Treebank tokenization ("it 's"), are one unit.
    * An emoji, with its modifiers and joiners, is a unit, and so is each Han character, kana, and Thai,
      Lao, Khmer or Myanmar grapheme cluster.

    Every unit is atomic: cut again on its own it gives itself. Since :meth:`join` puts a space between
    units, except between two of scripts that have none, ``segment(join(units)).units == units`` for any
    selection, in any order, of units that came from :meth:`segment`; a sequence of units and its text say the
    same.
    """

    kind: ClassVar[UnitKind] = "word"

    def segment(self, text: str) -> Segmentation:
        """Cut a text into words; every character that is not white space belongs to exactly one unit."""
        return _matches(_WORD_UNIT, text)

    def join(self, units: Sequence[str]) -> str:
        """The units with single spaces between them, and none between two of scripts written without."""
        text = " ".join(units)
        if text.isascii():
            return text
        pieces = list(units[:1])
        for before, unit in pairwise(units):
            pieces.append(unit if joined_without_space(before, unit) else f" {unit}")
        return "".join(pieces)


@dataclass(frozen=True)
class CharacterSegmenter:
    """Extended grapheme clusters (Unicode Standard Annex 29), white space included."""

    kind: ClassVar[UnitKind] = "character"

    def segment(self, text: str) -> Segmentation:
        """Cut a text into grapheme clusters; their concatenation is the text."""
        return _matches(_CLUSTER, text)

    def join(self, units: Sequence[str]) -> str:
        """The units without anything between them."""
        return "".join(units)


class TokenSegmenter:
    """Tokens of a fast Hugging Face tokenizer, without special tokens and without truncation.

    The distance then counts tokens of the two tokenized texts: one typed word may change several. Tokens
    that share a character (byte-level vocabularies) have overlapping spans.

    Args:
        tokenizer: Any object with the interface of ``transformers.PreTrainedTokenizerFast``.

    Raises:
        FuzzsmoothError: If it is missing, or slow, which gives no character offsets.
    """

    kind: ClassVar[UnitKind] = "token"

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer is None:
            raise FuzzsmoothError("token units need a tokenizer; pass the model's, or use word units")
        if not getattr(tokenizer, "is_fast", False):
            raise FuzzsmoothError(
                f"token units need a fast tokenizer, which {type(tokenizer).__name__} is not; "
                "load it with use_fast=True, or use word units"
            )
        self._tokenizer = tokenizer
        decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
        prefix = getattr(decoder, "prefix", None)
        self._continuation: str = prefix if isinstance(prefix, str) else ""

    def segment(self, text: str) -> Segmentation:
        """Cut a text into tokens, named as in the vocabulary (such as "##ing")."""
        # Tokenizers refuse lone surrogates; the replacement has the same length, so offsets stay right.
        encoding = tokenized(
            self._tokenizer,
            [_SURROGATE.sub("\ufffd", text)],
            add_special_tokens=False,
            return_offsets_mapping=True,
            truncation=False,
        )
        units = tuple(self._tokenizer.convert_ids_to_tokens(encoding["input_ids"][0]))
        spans = tuple((int(start), int(end)) for start, end in encoding["offset_mapping"][0])
        return Segmentation(text, units, spans)

    def join(self, units: Sequence[str]) -> str:
        """The tokenizer's own decoding of the tokens."""
        if not units:
            return ""
        # A word piece whose head was deleted starts a word now; decoders leave its mark ("##") in the text.
        head = units[0].removeprefix(self._continuation) or units[0]
        return str(self._tokenizer.convert_tokens_to_string([head, *units[1:]]))


def unit_remark(kind: str, units: Sequence[str]) -> str:
    """What is counted as a unit of a text, which the name of its kind does not say: clauses for a sentence.

    Args:
        kind: The kind of the units, one of :data:`UNIT_KINDS`.
        units: Those of the text.
    """
    if kind == "demonstration":
        return "the text itself stays as it is"
    cut = f"{kind}s are those that the changed text is cut into: what joins or splits others is several"
    if kind == "word" and any(map(is_spaceless, units)):
        return f"each character of a script without spaces counts as a word; {cut}"
    return cut


def word_count(text: str) -> int:
    """Words between white space, each character of a script without spaces being one."""
    return sum(1 for _ in _COUNTED.finditer(text))


def word_starts(text: str) -> list[int]:
    """Where the words begin that :func:`word_count` counts."""
    return [match.start() for match in _COUNTED.finditer(text)]


def with_inserted(text: str, at: int, word: str) -> str:
    """A text with a word of its own inserted before a character, between spaces where the script has them."""
    before, after = text[:at], text[at:]
    touches = is_spaceless(before[-1:]) and is_spaceless(word)
    left = " " if before and not before[-1].isspace() and not touches else ""
    right = "" if not after or after[0].isspace() or is_spaceless(after) else " "
    return f"{before}{left}{word}{right}{after}"


def beginning(text: str, words: int) -> str:
    """The first so many words of a text as :func:`word_count` counts them, single spaces between."""
    flat = " ".join(text.split())
    for number, match in enumerate(_COUNTED.finditer(flat), 1):
        if number == words:
            return flat[: match.end()]
    return flat


def is_spaceless(unit: str) -> bool:
    """Whether a word unit is of a script that puts no space between words."""
    return _SPACELESS_HEAD.match(unit) is not None


def joined_without_space(before: str, unit: str) -> bool:
    """Whether two word units are written without a space: both of such scripts, and two when touching."""
    return is_spaceless(before) and is_spaceless(unit) and _CONTINUING.match(unit) is None


def _matches(pattern: regex.Pattern[str], text: str) -> Segmentation:
    spans = tuple([match.span() for match in pattern.finditer(text)])
    return Segmentation(text, tuple([text[start:end] for start, end in spans]), spans)
