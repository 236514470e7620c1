"""Tables of a report: cells as text, with the best values marked only where the data can tell them apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from fuzzsmooth.bench.catalog import ablation_groups, main_rows, summary
from fuzzsmooth.bench.metrics import Curve, Row, Share
from fuzzsmooth.bench.records import CONDITIONAL_PREFIX, is_backward, is_conditional
from fuzzsmooth.certify import MEANINGS

ABSENT: Final = "–"

_RADII: Final = (1, 2, 3, 4, 5, 8, 10, 15, 20, 30, 50, 100, 200)
_COLUMNS: Final = 8


@dataclass(frozen=True)
class Cell:
    """One cell: the value, whether it counts as best of its column, and smaller lines under it."""

    value: str
    notes: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class Header:
    """A column's name, and what it means."""

    name: str
    meaning: str = ""


@dataclass(frozen=True)
class TableRow:
    """A row: its name, what kind it is, one cell per numeric column, and what it is in a few words."""

    name: str
    kind: str
    cells: tuple[Cell, ...]
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A table: the headers of the name, the kind and every numeric column, then the rows."""

    headers: tuple[Header, ...]
    rows: tuple[TableRow, ...]


_ASR: Final = Header(
    "ASR",
    "attack success rate: triggered texts of another class given the target; without a target, those given "
    "any wrong class",
)
_Metric = tuple[str, Header, Literal["high", "low", "none"]]
_METRICS: Final[tuple[_Metric, ...]] = (
    ("ca", Header("CA", "clean accuracy: share of clean texts answered with their true class"), "high"),
    ("pa", Header("PA", "accuracy on triggered texts, against the true class"), "high"),
    ("asr", _ASR, "low"),
    ("asr_floor", Header("ASR floor", "share of the same texts given that label without a trigger"), "none"),
    ("localization_recall", Header("Recall", "triggered texts with the whole trigger flagged"), "high"),
    ("false_flag_rate", Header("False flags", "clean texts with anything flagged"), "low"),
    ("abstention_rate", Header("Abstains", "clean texts without an answer"), "none"),
)


def main_table(rows: Sequence[Row]) -> Table:
    """The table of defenses, ablations apart.

    Where a run measured nothing but ablations, they are the table.
    """
    return _table(main_rows(rows))


def ablated_rows(rows: Sequence[Row]) -> list[list[Row]]:
    """Each row that ablations change, then its changed forms; empty for none.

    A run of nothing but ablations has them in the main table.
    """
    if len(main_rows(rows)) == len(rows):
        return []
    by_name = {row.defense: row for row in rows}
    return [
        [by_name[name] for name in (base, *changed) if name in by_name]
        for base, changed in ablation_groups(by_name).items()
    ]


def ablation_tables(rows: Sequence[Row]) -> list[Table]:
    """A table for each of :func:`ablated_rows`; the best values are marked within each."""
    return [_table(group) for group in ablated_rows(rows)]


def _table(rows: Sequence[Row]) -> Table:
    """Shares with interval and spread, then cost; empty columns are left out."""
    metrics = [metric for metric in _METRICS if _worth_showing(rows, metric[0])]
    columns = [_share_column([getattr(row, name) for row in rows], better) for name, _, better in metrics]
    columns.append([Cell(duration(row.seconds_per_text)) for row in rows])
    columns.append([Cell(count(row.evaluations_per_text)) for row in rows])
    headers = (
        Header("Defense"),
        Header("Guarantee", "the kind of guarantee that its radii carry"),
        *(header for _, header, _ in metrics),
        Header("Time", "mean seconds per text, measured on the machine of the run"),
        Header("Scan passes", "mean forward passes per text that the scan spends"),
    )
    cells = zip(*columns, strict=True)
    return Table(
        headers,
        tuple(
            TableRow(row.defense, row.guarantee, each, summary(row.defense))
            for row, each in zip(rows, cells, strict=True)
        ),
    )


def _worth_showing(rows: Sequence[Row], name: str) -> bool:
    shares: list[Share | None] = [getattr(row, name) for row in rows]
    if name == "abstention_rate":
        return any(share is not None and share.count for share in shares)
    return any(shares)


def threats_of(rows: Sequence[Row], *, conditional: bool, backward: bool) -> list[str]:
    """The threats of one kind, in order of first appearance; kinds never share a table."""
    threats = dict.fromkeys(threat for row in rows for threat in row.certified)
    return [t for t in threats if is_conditional(t) == conditional and is_backward(t) == backward]


def certified_table(
    rows: Sequence[Row], threats: Sequence[str], field: Literal["certified", "certified_asr"]
) -> Table | None:
    """Certified shares by radius.

    Args:
        rows: The metrics.
        threats: The threats to show; of one kind, see :func:`threats_of`.
        field: Which curves of the rows.

    Returns:
        The table, or None where no row has such a curve.
    """
    curves: list[tuple[Row, str, Curve]] = [
        (row, threat, getattr(row, field)[threat])
        for threat in threats
        for row in rows
        if threat in getattr(row, field)
    ]
    if not curves:
        return None
    reached = max(
        (len(curve.counts) - 1 for _, _, curve in curves),
    )
    radii = [radius for radius in _RADII if radius <= reached][:_COLUMNS] or [1]
    headers = (
        Header("Defense"),
        Header("Threat"),
        *(Header(f"r ≥ {r}" if field == "certified" else f"r = {r}") for r in radii),
    )
    beyond = 0 if field == "certified" else 1
    return Table(
        headers,
        tuple(
            TableRow(
                row.defense,
                threat_words(threat),
                tuple(_curve_cell(curve, r, beyond, _balanced(row, threat, r, field)) for r in radii),
            )
            for row, threat, curve in curves
        ),
    )


def settings_rows(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A nested mapping as (dotted name, value) pairs, in order."""
    pairs: list[tuple[str, str]] = []
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            pairs.extend((f"{name}.{inner}", text) for inner, text in settings_rows(value))
        elif isinstance(value, list | tuple):
            pairs.append((str(name), ", ".join(str(item) for item in value) or ABSENT))
        else:
            pairs.append((str(name), ABSENT if value is None or value == "" else str(value)))
    return pairs


def threat_words(threat: str) -> str:
    """A threat's name with what it means, without the prefix of conditional ones."""
    name = threat.removeprefix(CONDITIONAL_PREFIX).lstrip("_-:. ")
    meaning = MEANINGS.get(name)
    return f"{name}: {meaning}" if meaning else name or MEANINGS["trigger"]


def write_markdown_table(rows: Sequence[Row]) -> str:
    """The main table as GitHub Markdown, with intervals, then those of ablations; for committed results."""
    text = _markdown_table(main_table(rows))
    ablations = ablation_tables(rows)
    if ablations:
        text += "\nAblations, each under the row that it changes one thing in:\n"
    return text + "".join(f"\n{_markdown_table(table)}" for table in ablations)


def _markdown_table(table: Table) -> str:
    lines = [
        "| " + " | ".join(markdown_text(header.name) for header in table.headers) + " |",
        "|---|---|" + "--:|" * (len(table.headers) - 2),
    ]
    for row in table.rows:
        cells = [f"**{cell.value}**" if cell.best else cell.value for cell in row.cells]
        notes = [f" ({', '.join(cell.notes)})" if cell.notes else "" for cell in row.cells]
        shown = [f"{cell}{note}" for cell, note in zip(cells, notes, strict=True)]
        lines.append("| " + " | ".join([markdown_text(row.name), markdown_text(row.kind), *shown]) + " |")
    return "\n".join(lines) + "\n"


def percent(share: float) -> str:
    """A share as a percentage with one decimal; 100.0% and 0.0% only where exact.

    A rate of 2,999 in 3,000 must not read as certainty.
    """
    text = f"{100 * share:.1f}%"
    if text == "100.0%" and share < 1:
        return ">99.9%"
    if text == "0.0%" and share > 0:
        return "<0.1%"
    return text


def duration(seconds: float) -> str:
    """Seconds with a unit that keeps three digits readable."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:,.0f} s"


def count(number: float) -> str:
    """A mean count, with one decimal only where it is small and broken."""
    if number == 0:
        return ABSENT
    return f"{number:,.1f}" if number < 100 and not math.isclose(number, round(number)) else f"{number:,.0f}"


def _share_column(shares: Sequence[Share | None], better: Literal["high", "low", "none"]) -> list[Cell]:
    best = _best(shares, better)
    return [
        Cell(percent(share.mean), _notes(share), mark) if share else Cell(ABSENT)
        for share, mark in zip(shares, best, strict=True)
    ]


def _best(shares: Sequence[Share | None], better: Literal["high", "low", "none"]) -> list[bool]:
    """Marks of the best value and of all whose interval overlaps its interval; none if nothing is worse."""
    present = [share for share in shares if share]
    if better == "none" or len(present) < 2:
        return [False] * len(shares)
    choose = max if better == "high" else min
    best = choose(present, key=lambda share: share.mean)
    marks = [share is not None and share.low <= best.high and share.high >= best.low for share in shares]
    return [False] * len(shares) if sum(marks) == len(present) else marks


def _notes(share: Share) -> tuple[str, ...]:
    interval = f"{100 * share.low:.1f}–{100 * share.high:.1f}"
    return (interval,) if share.sd is None else (interval, f"sd {100 * share.sd:.1f}")


def _balanced(row: Row, threat: str, radius: int, field: str) -> tuple[str, ...]:
    """The note of the mean over the classes, of certified accuracy."""
    shares = row.certified_balanced.get(threat, ()) if field == "certified" else ()
    return (f"balanced {100 * shares[radius]:.1f}",) if radius < len(shares) else ()


def _curve_cell(curve: Curve, radius: int, beyond: int, balanced: tuple[str, ...]) -> Cell:
    """A curve's share with interval and spread; past the last radius nothing is certified."""
    if radius >= len(curve.counts):
        return Cell(percent(beyond))
    point = curve.points[radius]
    return Cell(percent(point.mean), (*_notes(point), *balanced))


def markdown_text(text: str) -> str:
    """A text as a cell of a Markdown table."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(escaped.split())
