"""A table of a grid: for people as Markdown, with every number of a share in columns of its own as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.bench.metrics import Share
from fuzzsmooth.report.tables import ABSENT, markdown_text, percent

Value = str | int | float | Share | None

_PARTS = ("", "_low", "_high", "_sd", "_count", "_total")


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        name: Its name, which may become that of a file.
        title: What it shows; empty for what tables of its name show.
        columns: The columns' titles.
        rows: As many values each; a share is a mean with interval and spread, None is nothing.
        notes: What to know to read it.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table as GitHub Markdown, its title above and its notes below; empty columns are left out."""
        shown = [at for at in range(len(self.columns)) if any(row[at] not in (None, "") for row in self.rows)]
        lines = [f"### {self.title}", ""]
        lines.append("| " + " | ".join(markdown_text(self.columns[at]) for at in shown) + " |")
        lines.append("|" + "|".join("---" if self._words(at) else "--:" for at in shown) + "|")
        for row in self.rows:
            lines.append("| " + " | ".join(markdown_text(_shown(row[at])) for at in shown) + " |")
        return "\n".join([*lines, "", *(f"* {note}" for note in self.notes)]) + "\n"

    def csv(self) -> str:
        """The table as CSV; a share has columns for its interval, spread and counts beside it."""
        shares = [any(isinstance(row[at], Share) for row in self.rows) for at in range(len(self.columns))]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        head: list[str] = []
        for name, share in zip(self.columns, shares, strict=True):
            plain = _plain(name)
            head += [plain + part for part in _PARTS] if share else [plain]
        writer.writerow(head)
        for row in self.rows:
            cells: list[object] = []
            for value, share in zip(row, shares, strict=True):
                cells += _parts(value) if share else ["" if value is None else value]
            writer.writerow(cells)
        return stream.getvalue()

    def _words(self, column: int) -> bool:
        return any(isinstance(row[column], str) for row in self.rows)


def _parts(value: Value) -> Sequence[object]:
    if not isinstance(value, Share):
        return [""] * len(_PARTS)
    spread = "" if value.sd is None else value.sd
    return [value.mean, value.low, value.high, spread, value.count, value.total]


def _plain(title: str) -> str:
    """A title as the name of a column that programs read."""
    return "_".join(title.lower().replace("≥", "").replace("/", " per ").split())


def _shown(value: Value) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, Share):
        spread = "" if value.sd is None else f", sd {100 * value.sd:.1f}"
        return f"{percent(value.mean)} ({100 * value.low:.1f}–{100 * value.high:.1f}{spread})"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
