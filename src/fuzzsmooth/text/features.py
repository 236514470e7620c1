"""Linguistic features that guide the search: how rare a unit is, and where a text may be split.

They order what is tried first; no guarantee depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import regex

from fuzzsmooth.text.languages import AUTO, ENGLISH, UNKNOWN, zipf

_SENTENCE, _CLAUSE = 2, 1  # strengths of boundaries
# Zipf frequency is log10 of occurrences per billion words; "the" has 7.7, a word once in a billion has 0.
_COMMON_ZIPF = 7.0
# Symbols of category So (emoji among them) have frequencies of their own and are not punctuation.
_PUNCTUATION = regex.compile(r"[\p{P}\p{Sm}\p{Sc}\p{Sk}\p{M}\p{Z}\s]*", regex.VERSION1)
_SENTENCE_END = regex.compile(r"[.!?\u2026\u3002\uff01\uff1f\uff0e\u061f\u06d4\u0964\u0965\u1362]+")
_CLAUSE_END = regex.compile(r"[,;:\u3001\uff0c\uff1b\uff1a\u060c\u061b\u2013\u2014\u2015]+|-+")
_STRAIGHT_QUOTES = frozenset("\"'")  # these open and close by turns
_CLOSING = frozenset("\u2019\u201d\u00bb)]}\u300d\u300f\uff09\u3011\u300b")
_CONJUNCTIONS: Mapping[str, frozenset[str]] = {
    "en": frozenset({
        "and", "but", "or", "nor", "so", "yet", "because", "although", "though", "while", "whereas",
        "however", "unless", "since", "until", "whether", "therefore",
    }),
    "de": frozenset({
        "und", "aber", "oder", "denn", "sondern", "doch", "weil", "obwohl", "dass", "daß", "während", "wenn",
        "ob", "bis", "bevor", "nachdem", "damit", "sodass", "trotzdem", "deshalb",
    }),
    "fr": frozenset({"et", "mais", "ou", "donc", "car", "parce", "quoique", "lorsque", "puisque", "quand"}),
    "es": frozenset({"y", "e", "pero", "o", "u", "porque", "aunque", "mientras", "cuando", "sino", "pues"}),
}  # fmt: skip


def rarity(units: Sequence[str], language: str = "en") -> npt.NDArray[np.float64]:
    """How rare each unit is in everyday language, by its Zipf frequency in ``wordfreq``.

    Args:
        units: The units; case is ignored.
        language: A language code of ``wordfreq``, such as "en"; "none" where its frequencies are not known;
            "auto", which nobody has settled, is English.

    Returns:
        Shape (len(units),), in [0, 1]: 1 for a word never seen, 0 from Zipf frequency 7 on ("and"), linear
        between; 0 for punctuation and white space, and for every unit of language "none". A unit of Chinese
        or Japanese is a character, which is as frequent as the words that hold it are together.

    Raises:
        FuzzsmoothError: If ``wordfreq`` has no list for the language or needs another package for it.
    """
    language = ENGLISH if language == AUTO else language
    return np.array([_rarity(unit.lower(), language) for unit in units], dtype=np.float64)


def boundary_strengths(units: Sequence[str], language: str = "en") -> tuple[int, ...]:
    """How good a place each unit is to start a new segment at.

    Args:
        units: The units of a text.
        language: Its language, which tells conjunctions; where none are known, punctuation alone tells.

    Returns:
        One strength per unit: 2 where a sentence starts (after . ! ? and their like, with the quotation
        marks and brackets that close it), 1 where a clause does (after , ; : and dashes, or before a
        conjunction), 0 elsewhere and for the first unit.
    """
    plain = [unit.lower() for unit in units]
    conjunctions = _CONJUNCTIONS.get(ENGLISH if language == AUTO else language, frozenset())
    strengths = [0] * len(plain)
    pending = 0  # strength of the mark just passed; goes to the first unit that does not close it
    opened: set[str] = set()
    for index, unit in enumerate(plain):
        mark = _mark_strength(unit)
        closing = unit in _CLOSING or unit in opened or unit.isspace()
        if unit in _STRAIGHT_QUOTES:
            opened ^= {unit}
        if mark or (pending and closing):
            pending = max(pending, mark)
            continue
        strengths[index] = pending or (_CLAUSE if unit in conjunctions else 0)
        pending = 0
    if strengths:
        strengths[0] = 0
    return tuple(strengths)


def _mark_strength(unit: str) -> int:
    if _SENTENCE_END.fullmatch(unit):
        return _SENTENCE
    return _CLAUSE if _CLAUSE_END.fullmatch(unit) else 0


@lru_cache(maxsize=2**17)
def _rarity(unit: str, language: str) -> float:
    if language == UNKNOWN or _PUNCTUATION.fullmatch(unit):
        return 0.0
    return min(1.0, max(0.0, 1.0 - zipf(unit, language) / _COMMON_ZIPF))
