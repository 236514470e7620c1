"""Example texts for a report: chosen by rule, in test order, and cut into marked pieces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from fuzzsmooth.bench.aims import Aim, as_aim
from fuzzsmooth.bench.metrics import Row, covers_trigger, scans
from fuzzsmooth.bench.records import CLEAN, TRIGGERED, TextRecord
from fuzzsmooth.common.printing import displayable
from fuzzsmooth.report.verdict import UNDEFENDED, best_row

_PER_GROUP: Final = 2
_LONGEST_PLAIN: Final = 320


class Marked(Protocol):
    """A stretch of a text that was flagged: half-open character range and score."""

    @property
    def start(self) -> int:
        """Its first character."""

    @property
    def end(self) -> int:
        """Behind its last one."""

    @property
    def score(self) -> float:
        """How suspicious it is."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text with one look.

    Attributes:
        text: What to show.
        score: Highest score of the flagged spans over it; None outside all of them.
        trigger: Whether it belongs to the true trigger.
        left_out: Characters cut from a long plain stretch; then ``text`` is empty.
    """

    text: str
    score: float | None = None
    trigger: bool = False
    left_out: int = 0


@dataclass(frozen=True)
class Example:
    """A record to show, cut into pieces, with the undefended answer to the same text where there is one."""

    record: TextRecord
    pieces: tuple[Piece, ...]
    undefended: TextRecord | None


@dataclass(frozen=True)
class Group:
    """Examples of one kind: its title, how many texts of its split are of that kind, and the first few."""

    title: str
    split: str
    count: int
    total: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class _Kind:
    title: str
    split: str
    holds: Callable[[TextRecord], bool]


def _right(record: TextRecord) -> bool:
    return record.prediction == record.label


_KINDS: Final = (
    _Kind("Trigger found, answer right", TRIGGERED, lambda r: covers_trigger(r) and _right(r)),
    _Kind(
        "Trigger found, answer wrong all the same", TRIGGERED, lambda r: covers_trigger(r) and not _right(r)
    ),
    _Kind("Trigger not found whole", TRIGGERED, lambda r: not covers_trigger(r)),
    _Kind("Clean text, wrongly flagged", CLEAN, lambda r: bool(r.spans)),
    _Kind("Clean text, left alone", CLEAN, lambda r: not r.spans and _right(r)),
)


def choose_examples(
    rows: Sequence[Row], records: Sequence[TextRecord], target: int | Aim
) -> tuple[str, tuple[Group, ...]]:
    """The first texts of every kind, for the scanning defense with the best trade-off.

    Args:
        rows: The metrics.
        records: The records behind them.
        target: Class index that the attacker wants, or what else counts as the attack's success.

    Returns:
        The defense's name and the groups that are not empty; an empty name where no defense scans.
    """
    scanning = {row.defense for row in rows if scans(r for r in records if r.defense == row.defense)}
    candidates = [row for row in rows if row.defense in scanning]
    if not candidates:
        return "", ()
    chosen = best_row(candidates) or candidates[0]
    own = [record for record in records if record.defense == chosen.defense]
    bare = {_place(record): record for record in records if record.defense == UNDEFENDED}
    groups = (_group(kind, own, bare, as_aim(target)) for kind in _KINDS)
    return chosen.defense, tuple(group for group in groups if group.count)


def _group(
    kind: _Kind,
    records: Sequence[TextRecord],
    undefended: Mapping[tuple[int, str, int], TextRecord],
    aim: Aim,
) -> Group:
    # A triggered text that is of the target class anyway shows nothing about the attack.
    pool = [r for r in records if r.split == kind.split and (kind.split == CLEAN or aim.concerns(r))]
    found = sorted((record for record in pool if kind.holds(record)), key=lambda r: (r.seed, r.index))
    shown = tuple(
        Example(record, cut(record), _same_text(record, undefended)) for record in found[:_PER_GROUP]
    )
    return Group(kind.title, kind.split, len(found), len(pool), shown)


def _same_text(
    record: TextRecord, undefended: Mapping[tuple[int, str, int], TextRecord]
) -> TextRecord | None:
    other = undefended.get(_place(record))
    return other if other and other.text == record.text else None


def _place(record: TextRecord) -> tuple[int, str, int]:
    return record.seed, record.split, record.index


def cut(record: TextRecord) -> tuple[Piece, ...]:
    """Cut a record's text where the look changes; the pieces spell the text, but for long plain stretches."""
    return cut_text(record.text, record.spans, record.trigger, longest=_LONGEST_PLAIN)


def cut_text(
    text: str,
    spans: Sequence[Marked],
    trigger: Sequence[tuple[int, int]] = (),
    *,
    longest: int | None = None,
) -> tuple[Piece, ...]:
    """Cut a text where the look changes.

    Args:
        text: The text.
        spans: What was flagged in it.
        trigger: Half-open character ranges of what was inserted.
        longest: Characters of a plain stretch that are shown; all if None.

    Returns:
        Pieces that spell the text, but for what is left out.
    """
    edges = {0, len(text)}
    for start, end in [*((span.start, span.end) for span in spans), *trigger]:
        edges |= {start, end}
    places = sorted(edges)
    pieces: list[Piece] = []
    for start, end in pairwise(places):
        scores = [span.score for span in spans if span.start <= start and end <= span.end]
        inserted = any(low <= start and end <= high for low, high in trigger)
        if scores or inserted:
            pieces.append(Piece(displayable(text[start:end]), max(scores, default=None), inserted))
        else:
            pieces.extend(_shortened(text[start:end], longest))
    return tuple(pieces)


def _shortened(plain: str, longest: int | None) -> list[Piece]:
    """A plain stretch, without its middle where it is long."""
    if longest is None or len(plain) <= longest:
        return [Piece(displayable(plain))]
    keep = longest // 2
    return [
        Piece(displayable(plain[:keep])),
        Piece("", left_out=len(plain) - 2 * keep),
        Piece(displayable(plain[-keep:])),
    ]
