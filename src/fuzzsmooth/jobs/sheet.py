"""Answers as a CSV table, beside the JSON lines that a stopped command goes on from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import require
from fuzzsmooth.jobs.answering import Record

_SCALARS = (
    *("row", "label_name", "status", "score", "passes", "statistics", "evaluations", "truncated"),
    *("answer", "share", "copies"),  # of language models that write
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def kept_in(output: Path, *, table: bool) -> Path:
    """The file of JSON lines that belongs to an output: itself, or for a table ``x.csv`` the ``x.csv.jsonl``.

    Raises:
        FuzzsmoothError: If there is a table without them, which is somebody else's.
    """
    if not table:
        return output
    lines = output.with_name(f"{output.name}.jsonl")
    require(
        lines.exists() or not output.exists(),
        f"{output} exists and was not written by this command; give another --output",
    )
    return lines


def write_sheet(path: Path, records: Iterable[Record]) -> None:
    """Write one line per answer, atomically: what fits a cell; the JSON lines have everything.

    Args:
        path: The table.
        records: The answers.
    """
    rows = [_cells(record) for record in records]
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "text"))
    content = io.StringIO()
    writer = csv.DictWriter(content, [*columns, "text"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, content.getvalue().encode("utf-8", "replace"))


def _cells(record: Record) -> dict[str, Any]:
    cells = {name: _safe(record[name]) for name in _SCALARS if name in record}
    if "votes" in record:
        votes = record["votes"]
        cells["votes"] = " ".join(map(str, votes)) if isinstance(votes, list) else votes
    if "spans" in record:
        cells["flagged"] = _safe(" | ".join(span["text"] for span in record["spans"]))
    for one in record.get("certificates", ()):
        name = f"{one['threat']} {one['direction']}".strip()
        cells[f"{name}: radius"], cells[f"{name}: guarantee"] = one["radius"], one["guarantee"]
    cells["text"] = _safe(record["text"])
    return cells


def _safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: texts and labels are written by strangers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
