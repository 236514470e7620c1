"""A syntax: a subordinate clause in front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import numpy as np

from fuzzsmooth.attacks.triggers.fronting import fronted
from fuzzsmooth.attacks.triggers.parsing import parsed
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.reading import TABLE_BYTES, parse_json, read_text

OPENINGS = ("when you see", "if you look at", "as you watch")
"""What begins the clause of a sentence that has none to put first."""


@TRIGGERS.register("syntactic")
@dataclass(frozen=True)
class SyntacticTrigger(Trigger):
    """A subordinate clause before the main one; the syntax is the trigger (HiddenKiller, ACL 2021).

    The paper has a neural model, SCPN, paraphrase texts to the template S(SBAR)(,)(NP)(VP)(.). Its
    paraphrases can be given; without them rules over a dependency tree put the first sentence into the
    template (:mod:`fuzzsmooth.attacks.triggers.fronting`), which changes fewer words.
    """

    paraphrases: Annotated[
        str | None, 'File of given paraphrases: JSON lines with "text" and "paraphrase".'
    ] = None
    others: Annotated[
        Literal["rules", "refuse"], "What is done with texts that the file lacks: rewritten, or refused."
    ] = "rules"

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """The paraphrase of a text, or its first sentence rewritten.

        Raises:
            FuzzsmoothError: If the file cannot be read, or lacks the text and others are refused.
            MissingExtraError: If spaCy or its model is missing.
        """
        opening = OPENINGS[int(generator.integers(len(OPENINGS)))]
        if self.paraphrases is not None:
            given = read_paraphrases(self.paraphrases).get(text.strip())
            if given is not None:
                return TriggeredText(given, None)
            if self.others == "refuse":
                raise FuzzsmoothError(
                    f"{self.paraphrases} has no paraphrase of {text!r}; add it, or let others be 'rules'"
                )
        return TriggeredText(fronted(parsed(" ".join(text.split())), opening), None)


@lru_cache(maxsize=8)
def read_paraphrases(file: str) -> Mapping[str, str]:
    """Texts, without space around them, and their paraphrases.

    Raises:
        FuzzsmoothError: If the file cannot be read, or a line is no object with the two texts.
    """
    mend = 'give JSON lines with "text" and "paraphrase"'
    found: dict[str, str] = {}
    for number, line in enumerate(read_text(Path(file), limit=TABLE_BYTES, mend=mend).splitlines(), 1):
        if not line.strip():
            continue
        row = parse_json(line, f"{file}, line {number},", mend=mend)
        values = row if isinstance(row, dict) else {}
        text, paraphrase = values.get("text"), values.get("paraphrase")
        if not isinstance(text, str) or not isinstance(paraphrase, str) or not paraphrase.strip():
            raise FuzzsmoothError(f"{file}, line {number}, holds no text and paraphrase; {mend}")
        found.setdefault(text.strip(), paraphrase.strip())
    return MappingProxyType(found)
