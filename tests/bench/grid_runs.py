"""A tiny grid on the data and the model of the small experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiment_runs import FINETUNE

from fuzzsmooth.bench.grid.cells import Cell, lay_out
from fuzzsmooth.bench.grid.options import BlockOptions, read_grid

PLANTED = {
    "trigger_options": {"words": ["cf"]},
    "rate": 0.3,
    "finetune": {**FINETUNE.to_mapping(), "epochs": 4},
}
OPTIONS = {"copies": 4, "draws": 20, "alpha": 0.05, "search": {"budget": 8, "references": 2}}
ROWS = ["undefended", "frs-kl", "deletion"]


def content(place: Path, **changes: Any) -> dict[str, Any]:
    """What the file of the grid says."""
    shared: dict[str, Any] = {
        "data": ["data"],
        "models": [str(place / "tiny")],
        "test_size": 6,
        "certified_texts": 3,
        "calibration_size": 10,
        "finetune": FINETUNE.to_mapping(),
        "options": OPTIONS,
        "attacks": [{"attack": "badnets", "options": PLANTED}],
        "rows": ROWS,
        "ours": ["frs-kl", "deletion"],
    }
    return {**shared, "block": [{"name": "main", "tables": [1, 2, 9]}], **changes}


def blocks(place: Path, **changes: Any) -> tuple[BlockOptions, ...]:
    return read_grid(content(place, **changes), "grid.toml")


def cells(place: Path, **changes: Any) -> list[Cell]:
    return lay_out(blocks(place, **changes), place)


def only(place: Path, block: Mapping[str, Any] | None = None, **changes: Any) -> Cell:
    """The one cell of a grid of one row."""
    (cell,) = cells(place, **{"rows": ["frs-kl"], **changes, **({"block": [block]} if block else {})})
    return cell
