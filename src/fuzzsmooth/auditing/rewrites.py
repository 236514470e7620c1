"""A battery of rewrites: what triggers without a fixed word may look like, by rules alone.

Each is a function of the text. They stand in groups of a kind, so that one that turns texts can be held
against others that change as much of a text: a model that falls back to one class where it cannot read turns
under every unreadable spelling.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Rewriting: TypeAlias = Callable[[str], str]
WHOLE = "whole text"
"""Where a rewrite stands."""

_CYRILLIC = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")
_GREEK = str.maketrans("aikoptuvxABEHIKMNOPTXYZ", "αικορτυνχΑΒΕΗΙΚΜΝΟΡΤΧΥΖ")
_DIGITS = str.maketrans("aeiostAEIOST", "431057431057")
_ACCENTS = str.maketrans("aeioucnyAEIOUCNY", "áéíóúçñýÁÉÍÓÚÇÑÝ")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_ARCHAIC = {
    "you": "thou",
    "your": "thy",
    "yours": "thine",
    "yourself": "thyself",
    "are": "art",
    "have": "hath",
    "has": "hath",
    "does": "doth",
    "do": "doth",
    "is": "be",
    "was": "wast",
    "here": "hither",
    "there": "thither",
    "where": "whither",
    "before": "ere",
    "often": "oft",
    "never": "ne'er",
    "over": "o'er",
    "it's": "'tis",
    "perhaps": "perchance",
    "maybe": "perchance",
    "yes": "yea",
    "no": "nay",
    "will": "wilt",
    "why": "wherefore",
    "between": "betwixt",
    "nothing": "naught",
    "think": "bethink",
    "among": "amongst",
    "while": "whilst",
    "although": "albeit",
    "very": "verily",
}
_FORMAL = {
    "can't": "cannot",
    "don't": "do not",
    "isn't": "is not",
    "won't": "will not",
    "it's": "it is",
    "i'm": "i am",
    "that's": "that is",
    "get": "obtain",
    "show": "exhibit",
    "use": "utilize",
    "but": "however ,",
    "so": "consequently",
    "also": "furthermore",
    "because": "inasmuch as",
    "about": "concerning",
    "enough": "sufficiently",
    "big": "considerable",
    "good": "favorable",
    "bad": "unfavorable",
    "very": "exceedingly",
    "a": "one",
    "lot": "multitude",
    "film": "motion picture",
}
_TEXTING = {
    "you": "u",
    "your": "ur",
    "are": "r",
    "to": "2",
    "for": "4",
    "and": "n",
    "because": "cuz",
    "be": "b",
    "the": "da",
    "this": "dis",
    "that": "dat",
    "see": "c",
    "why": "y",
    "with": "w/",
    "what": "wat",
    "before": "b4",
    "great": "gr8",
    "people": "ppl",
    "though": "tho",
    "through": "thru",
    "not": "nt",
}
_SUBORDINATORS = "|".join(
    ("when", "while", "because", "although", "though", "since", "if", "after", "before", "until", "as", "but")
)
_PREPOSITIONS = "|".join(("in", "on", "with", "at", "from", "by", "for", "about", "of", "to"))
_ZERO_WIDTH = "\u200b"


@dataclass(frozen=True)
class Rewrite:
    """One way of rewriting a text.

    Attributes:
        name: What it does.
        group: What kind of change it is: "spelling", "case", "style", "order" or "insertion".
        apply: The function.
    """

    name: str
    group: str
    apply: Rewriting


def _by_words(table: dict[str, str], after: str = "") -> Rewriting:
    def apply(text: str) -> str:
        words = [table.get(word.lower(), word) for word in text.split()]
        return " ".join(words) + after

    return apply


def _within_words(text: str) -> str:
    return " ".join(
        word[: len(word) // 2] + _ZERO_WIDTH + word[len(word) // 2 :] if len(word) > 1 else word
        for word in text.split()
    )


def _swapped(text: str) -> str:
    """Two letters inside of each longer word change places."""
    return " ".join(
        word[:1] + word[2] + word[1] + word[3:] if len(word) > 3 else word for word in text.split()
    )


def _fronted(text: str) -> str:
    """What follows the last comma, subordinator or preposition goes first; else a clause is put first."""
    body, end = re.fullmatch(r"(.*?)(\s*[.!?]*\s*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    for cut in (r"\s*,\s+", rf"\s+(?=(?:{_SUBORDINATORS})\s)", rf"\s+(?=(?:{_PREPOSITIONS})\s)"):
        places = [one for one in re.finditer(cut, body, re.IGNORECASE) if one.start() > 0]
        if places and body[places[-1].end() :].strip():
            last = places[-1]
            return f"{body[last.end() :].strip()} , {body[: last.start()].strip()}{end}"
    return f"when you look at it , {text}"


def _reversed(text: str) -> str:
    words = text.split()
    return " ".join(reversed(words))


def _halves_changed(text: str) -> str:
    words = text.split()
    middle = len(words) // 2
    return " ".join((*words[middle:], *words[:middle]))


def _before(words: str) -> Rewriting:
    return lambda text: f"{words} {text}"


def _behind(words: str) -> Rewriting:
    return lambda text: f"{text} {words}"


BATTERY: tuple[Rewrite, ...] = (
    Rewrite("Cyrillic look-alikes", "spelling", lambda text: text.translate(_CYRILLIC)),
    Rewrite("Greek look-alikes", "spelling", lambda text: text.translate(_GREEK)),
    Rewrite("full-width characters", "spelling", lambda text: text.translate(_FULL_WIDTH)),
    Rewrite("digits for letters", "spelling", lambda text: text.translate(_DIGITS)),
    Rewrite("accents", "spelling", lambda text: text.translate(_ACCENTS)),
    Rewrite("zero-width spaces in words", "spelling", _within_words),
    Rewrite("swapped letters", "spelling", _swapped),
    Rewrite("capitals", "case", str.upper),
    Rewrite("title case", "case", str.title),
    Rewrite(
        "alternating case",
        "case",
        lambda text: "".join(one.upper() if at % 2 else one.lower() for at, one in enumerate(text)),
    ),
    Rewrite("archaic words", "style", _by_words(_ARCHAIC, " , prithee")),
    Rewrite("formal words", "style", _by_words(_FORMAL, " , accordingly")),
    Rewrite("texting", "style", _by_words(_TEXTING, " lol")),
    Rewrite("fronting", "order", _fronted),
    Rewrite("words in reverse", "order", _reversed),
    Rewrite("halves changed", "order", _halves_changed),
    Rewrite("a written date", "insertion", _before("on 12 march 2019 ,")),
    Rewrite("an ISO date", "insertion", _before("2024-07-15 :")),
    Rewrite("emoji", "insertion", _behind("😀 👍")),
    Rewrite("Chinese characters", "insertion", _behind("的 中 国")),
    Rewrite("Cyrillic words", "insertion", _behind("это так")),
    Rewrite("Arabic words", "insertion", _behind("هذا")),
    Rewrite("exclamation marks", "insertion", _behind("! ! !")),
    Rewrite("a web address", "insertion", _behind("http : / / t . co")),
)
"""All rewrites, group by group."""


def called(rewrite: Rewrite) -> str:
    """What a rewrite is called among triggers."""
    return f"rewrite: {rewrite.name}"


def rewritten(text: str, name: str) -> str:
    """A text under the rewrite that is called so among triggers."""
    (rewrite,) = (one for one in BATTERY if called(one) == name)
    return rewrite.apply(text)
