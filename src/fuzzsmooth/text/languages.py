"""Languages: which one texts are in, and how frequent a unit is in it.

Frequencies are those of ``wordfreq`` where it has the language, and none are claimed where it has not
(:data:`UNKNOWN`). Chinese and Japanese are cut into grapheme clusters here, not words, so what counts there
is how often a character stands in running text: the sum of the frequencies of the words that hold it, each as
often as they hold it. That needs no segmenter. They order what a search tries first; no guarantee depends on
them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

import regex

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.lazy import found_in
from fuzzsmooth.text.units import is_spaceless

AUTO = "auto"
"""The language that clean texts are found to be in."""
ENGLISH = "en"
UNKNOWN = "none"
"""A language whose word frequencies are not known: every unit counts as equally frequent."""

_BY_CHARACTER = frozenset({"zh", "ja"})
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]+")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_SPACELESS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_HAN = regex.compile(r"\p{Han}")
_READ = 2_000  # words that tell a language; a few hundred do
_COVERED = 0.5  # share of them that its list must know; German texts: German .85, then Dutch .42
_MOST = _READ * 20  # characters looked at
_JAPANESE = 0.1  # share of kana from which Han characters are Japanese
_SCALE = 9.0  # Zipf frequency is log10 of occurrences per billion words


def check_language(language: str) -> None:
    """Check that there are frequencies for a language, "none" being one without.

    Raises:
        FuzzsmoothError: If ``wordfreq`` has no list for it or needs another package for it.
    """
    if language != UNKNOWN:
        zipf("a", language)


def zipf(unit: str, language: str) -> float:
    """The Zipf frequency of a unit: log10 of its occurrences per billion words; 0 if it is not known.

    Args:
        unit: In lower case.
        language: A language code of ``wordfreq``, such as "en".

    Raises:
        FuzzsmoothError: If ``wordfreq`` has no list for the language or needs another package for it.
    """
    if language in _BY_CHARACTER:
        share = (
            _characters(language).get(unit, 0.0) if is_spaceless(unit) else _words(language).get(unit, 0.0)
        )
        return max(0.0, round(math.log10(share) + _SCALE, 2)) if share else 0.0
    zipf_frequency: Any = found_in("wordfreq", "zipf_frequency")  # imported here: a quarter of a second
    try:
        return float(zipf_frequency(unit, language))
    except ModuleNotFoundError as error:
        raise FuzzsmoothError(
            f"word frequencies of language {language!r} need the package {error.name}; install it, "
            f"choose another language, or '{UNKNOWN}'"
        ) from error
    except (LookupError, ValueError) as error:
        raise FuzzsmoothError(
            f"there are no word frequencies for language {language!r}; choose one that wordfreq has, "
            f"such as 'en', or '{UNKNOWN}'"
        ) from error


def settled(language: str, texts: Iterable[str]) -> str:
    """The language itself, or where it is "auto" that of some texts.

    Raises:
        FuzzsmoothError: If there are no frequencies for it.
    """
    if language == AUTO:
        return detected(texts)
    check_language(language)
    return language


def detected(texts: Iterable[str]) -> str:
    """The language whose frequent words cover the words of some texts best.

    Args:
        texts: Texts, all in one language mostly; their beginning is read.

    Returns:
        A language code of ``wordfreq`` whose frequencies can be read, or "none" if no list knows half of the
        words, as for Thai.
    """
    words: list[str] = []
    plain, spaceless = 0, Counter[str]()
    for text in texts:
        words += [word.lower() for word in _WORD.findall(text) if _SPACELESS.search(word) is None]
        plain += sum(len(word) for word in _WORD.findall(text))
        spaceless.update(_SPACELESS.findall(text))
        if len(words) >= _READ or plain >= _MOST:
            break
    written = sum(spaceless.values())
    if 2 * written > plain:
        return _of_characters(spaceless, written)
    if not words:
        return UNKNOWN
    covered = {code: _coverage(words[:_READ], code) for code in _codes()}
    best = max(covered, key=lambda code: (covered[code], code))
    return best if covered[best] >= _COVERED else UNKNOWN


def _of_characters(counts: Mapping[str, int], written: int) -> str:
    kana = sum(count for sign, count in counts.items() if _KANA.match(sign))
    han = sum(count for sign, count in counts.items() if _HAN.match(sign))
    if kana + han < written * _COVERED:
        return UNKNOWN
    return "ja" if kana > _JAPANESE * written else "zh"


def _coverage(words: Iterable[str], code: str) -> float:
    get_frequency_dict: Any = found_in("wordfreq", "get_frequency_dict")
    known = get_frequency_dict(code, "small")
    found = [word in known for word in words]
    return sum(found) / len(found)


@cache
def _codes() -> tuple[str, ...]:
    """The languages that are known by words, and whose words can be looked up here."""
    available_languages: Any = found_in("wordfreq", "available_languages")
    found = []
    for code in sorted(set(available_languages("small")) - _BY_CHARACTER):
        try:
            zipf("a", code)
        except FuzzsmoothError:  # Korean needs a package of its own
            continue
        found.append(code)
    return tuple(found)


@lru_cache(maxsize=2)
def _words(language: str) -> Mapping[str, float]:
    get_frequency_dict: Any = found_in("wordfreq", "get_frequency_dict")
    words: Mapping[str, float] = get_frequency_dict(language, "best")
    return words


@lru_cache(maxsize=2)
def _characters(language: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for word, share in _words(language).items():
        for sign in word:
            found[sign] = found.get(sign, 0.0) + share
    return found
