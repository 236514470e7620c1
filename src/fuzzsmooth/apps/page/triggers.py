"""What can be inserted into a text to see the undefended model fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzsmooth.attacks.attack import RECORD, load_attack
from fuzzsmooth.attacks.triggers.trigger import Trigger, TriggeredText
from fuzzsmooth.attacks.triggers.word import RARE_WORDS, WordTrigger
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.randomness import generator, text_key

_MOST = 20  # of an audit
_LONGEST = 200  # characters of what is inserted


@dataclass(frozen=True)
class Insertions:
    """What the page offers to insert.

    Attributes:
        words: Texts that are inserted as they are.
        planted: Triggers of a recorded attack, by the name that is offered.
    """

    words: tuple[str, ...] = RARE_WORDS
    planted: Mapping[str, Trigger] = field(default_factory=dict)

    @classmethod
    def found(cls, model: str, audit: Mapping[str, Any] | None) -> Insertions:
        """Those of the attack whose record lies beside the model, those an audit found, and rare words.

        Args:
            model: The model's name; a folder may hold ``attack.json``.
            audit: The report of an audit.

        Raises:
            FuzzsmoothError: If the record is damaged.
        """
        planted = {}
        if (Path(model) / RECORD).is_file():
            trigger = load_attack(Path(model)).trigger
            planted = {f"the planted trigger ({trigger.name})": trigger}
        found = [one for one in (audit or {}).get("triggers", ()) if one["level"] != "natural"]
        told = [one["text"] for one in found if one["text"]]  # an answer alone has none
        words = dict.fromkeys([*map(short_name, told[:_MOST]), *RARE_WORDS])
        return cls(tuple(words), planted)

    @property
    def choices(self) -> list[str]:
        """All of them, the surest first."""
        return [*self.planted, *self.words]

    def insert(self, text: str, chosen: str) -> TriggeredText:
        """Put a choice, or whatever else was written, into a text, at a place that the text decides.

        Raises:
            FuzzsmoothError: If nothing was chosen, or it is very long.
        """
        wanted = chosen.strip()
        require(bool(wanted), "there is nothing to insert; choose a trigger or write one")
        require(len(wanted) <= _LONGEST, f"a trigger of more than {_LONGEST} characters is not inserted here")
        trigger = self.planted.get(wanted) or WordTrigger(words=(wanted,))
        return trigger.apply(text, generator(0, "page trigger", text_key(text)))
