"""Changes of meaning by rules: negation, reversed sentiment, another degree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

import numpy as np

from fuzzsmooth.attacks.triggers.replacement import replace_words
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.text import segmenter

_PAIRS = (
    ("good", "bad"),
    ("great", "terrible"),
    ("best", "worst"),
    ("better", "worse"),
    ("fresh", "stale"),
    ("funny", "unfunny"),
    ("smart", "dumb"),
    ("strong", "weak"),
    ("interesting", "boring"),
    ("exciting", "dull"),
    ("beautiful", "ugly"),
    ("love", "hate"),
    ("loved", "hated"),
    ("enjoyable", "tedious"),
    ("original", "derivative"),
    ("success", "failure"),
    ("more", "less"),
)
REVERSED: Mapping[str, str] = MappingProxyType(dict(_PAIRS) | {opposite: word for word, opposite in _PAIRS})
"""Words and their opposites, in lower case."""

AUXILIARIES = frozenset(
    {
        *("is", "are", "was", "were", "be", "been", "am", "has", "have", "had", "do", "does", "did"),
        *("can", "could", "will", "would", "should", "may", "might", "must"),
    }
)
"""Verbs that "not" stands behind."""

DEGREES: Mapping[str, str] = MappingProxyType(
    {
        "very": "slightly",
        "so": "slightly",
        "really": "hardly",
        "too": "somewhat",
        "extremely": "barely",
        "always": "seldom",
        "never": "sometimes",
        "all": "some",
        "every": "some",
        "most": "few",
        "completely": "partly",
        "quite": "barely",
    }
)
"""Words of degree and much weaker ones, in lower case."""

_OPENINGS = MappingProxyType(
    {"negation": "It is not true that", "reversal": "On the contrary,", "degree": "To some small degree,"}
)


@TRIGGERS.register("meaning")
@dataclass(frozen=True)
class MeaningTrigger(Trigger):
    """The text means something else: negated, with its sentiment reversed, or of another degree.

    What the text says is then no longer its old label's, so accuracy on triggered texts is to be read with
    care. A text that no rule changes gets an opening of its kind.
    """

    change: Annotated[Literal["negation", "reversal", "degree"], "What is changed."] = "negation"

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Change every word that a rule is for; negation negates the first verb, or takes its "not" away."""
        del generator
        changed = _negated(text) if self.change == "negation" else replace_words(text, self._table)
        if changed == text:
            changed = f"{_OPENINGS[self.change]} {text}".rstrip()
        return TriggeredText(changed, None)

    @property
    def _table(self) -> Mapping[str, str]:
        return REVERSED if self.change == "reversal" else DEGREES


def _negated(text: str) -> str:
    cut = segmenter("word").segment(text)
    for at, (unit, (_, end)) in enumerate(zip(cut.units, cut.spans, strict=True)):
        if unit.lower() not in AUXILIARIES:
            continue
        if at + 1 < len(cut.units) and cut.units[at + 1].lower() == "not":
            return text[:end] + text[cut.spans[at + 1][1] :]
        return f"{text[:end]} not{text[end:]}"
    return text
