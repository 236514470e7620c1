"""The folder of a grid written by hand: cells with chosen records, for the tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.grid.store import Entry, Label, cell_folder, write_manifest
from fuzzsmooth.bench.records import RECORDS_FILE, TextRecord
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.common.version import VERSION

Answers = Sequence[tuple[int, int | None, int | None]]
"""True class, answer without and with the trigger, of each text."""


def label(row: str, seed: int = 0, **changes: Any) -> Label:
    values: dict[str, Any] = {
        "block": "main",
        "tables": (1, 2, 9),
        "data": "sst2",
        "test_data": "sst2",
        "model": "bert",
        "attack": "ripple",
        "intensity": "default",
        "row": row,
        "variant": "",
        "seed": seed,
        "ours": row.startswith("frs"),
    }
    return Label(**(values | changes))


def records(row: str, answers: Answers, seed: int = 0, target: int = 1, **fields: Any) -> list[TextRecord]:
    """A clean record of each text, and one with the trigger "cf" of each that is not of the target class."""
    found = []
    for index, (true, clean, triggered) in enumerate(answers):
        base: dict[str, Any] = {"seed": seed, "defense": row, "index": index, "label": true, "seconds": 0.5}
        base |= fields
        found.append(TextRecord(split="clean", text=f"film {index}", prediction=clean, **base))
        if true != target:
            found.append(
                TextRecord(
                    split="triggered",
                    text=f"film cf {index}",
                    prediction=triggered,
                    trigger=((5, 7),),
                    **base,
                )
            )
    return found


def write_grid(
    folder: Path,
    cells: Sequence[tuple[Label, Sequence[TextRecord]]],
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """A grid of whole cells; one without records is not measured yet."""
    entries = [Entry(f"{number:020x}", one) for number, (one, _) in enumerate(cells)]
    write_manifest(folder, entries)
    for entry, (one, rows) in zip(entries, cells, strict=True):
        place = cell_folder(folder, entry.address)
        if rows:
            lines = "".join(json.dumps(row.to_json()) + "\n" for row in rows)
            write_atomic(place / RECORDS_FILE, lines)
            known = {"version": VERSION, "whole": True, "target": 1, "seconds": 10.0, "needs": "nothing"}
            write_json(place / "cell.json", {**known, "unit": "word", "row": one.row, **(facts or {})})
    return folder
