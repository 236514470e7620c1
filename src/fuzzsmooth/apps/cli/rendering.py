"""Answers for people: texts with their vulnerable segments, votes and certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.printing import printable, short_name

if TYPE_CHECKING:
    from rich.text import Text

_LONGEST = 2000  # characters of a text that are shown; the JSON answer has all of it
_LONGEST_LABEL = 60


def marked(text: str, spans: Sequence[Mapping[str, Any]]) -> Text:
    """The text, its flagged segments in color; without colors the list of segments says the same."""
    from rich.text import Text

    shown = Text(printable(text[:_LONGEST]))
    for span in spans:
        shown.stylize("bold white on red", span["start"], span["end"])
    if len(text) > _LONGEST:
        shown.append(f"... ({len(text) - _LONGEST} more characters)", "dim")
    return shown


def heading(row: int, answer: str, remark: str) -> Text:
    """The first line of an answer."""
    from rich.text import Text

    return Text.assemble((f"{row}: ", "dim"), (label(answer), "bold"), (f"  {remark}", "dim"))


def label(name: str) -> str:
    """A class name as lines of several show it: a model's maker may have chosen one without end."""
    return short_name(name, _LONGEST_LABEL)


def no_answer(status: str) -> str:
    """What stands where a label would."""
    return {"alert": "ALERT", "budget_exceeded": "BUDGET EXCEEDED"}.get(status, "ABSTAIN")


def segments(spans: Sequence[Mapping[str, Any]]) -> list[Text]:
    """One line per flagged segment."""
    from rich.text import Text

    return [
        Text.assemble(
            "   ",
            (repr(short_name(span["text"])), "red"),
            (f"  characters {span['start']}-{span['end']}, score {span['score']:.2f}", "dim"),
        )
        for span in spans
    ]


def votes(record: Mapping[str, Any], labels: Sequence[str]) -> str:
    """The votes in words, the most first; the score where a single pass decided."""
    if not record["votes"]:
        return f"score {record['score']:.2f}"
    ranked = sorted(zip(record["votes"], labels, strict=True), key=lambda pair: -pair[0])
    return "votes: " + ", ".join(f"{label(name)} {count}" for count, name in ranked if count)
