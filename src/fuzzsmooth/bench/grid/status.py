"""How far a grid is, and about how long the rest will take. Without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzzsmooth.bench.grid.store import (
    Entry,
    State,
    cell_folder,
    failure,
    read_cell,
    read_manifest,
    state,
)


@dataclass(frozen=True)
class Status:
    """How far a grid is.

    Attributes:
        whole: Cells that are measured.
        running: Cells that a process is measuring now.
        left: Cells that nobody has begun, or whose process was stopped.
        failed: Why cells failed, by their title.
        seconds_left: About how long one worker takes for what is not measured: the mean of whole cells of
            the same row, or of all; None where nothing was measured yet.
    """

    whole: int
    running: int
    left: int
    failed: Mapping[str, str]
    seconds_left: float | None

    @property
    def cells(self) -> int:
        """Cells in all."""
        return self.whole + self.running + self.left + len(self.failed)


def read_status(folder: Path) -> Status:
    """Look at the cells of a grid.

    Raises:
        FuzzsmoothError: If the folder holds no grid, or a file is damaged.
    """
    cells = {one.address: one for one in read_manifest(folder)}
    states = {address: state(folder, address) for address in cells}
    failed = [one for one in cells.values() if states[one.address] == "failed"]
    counts: dict[State, int] = {"whole": 0, "running": 0, "left": 0}
    for found in states.values():
        counts[found] = counts.get(found, 0) + 1
    return Status(
        whole=counts["whole"],
        running=counts["running"],
        left=counts["left"],
        failed={one.label.title: failure(folder, one.address) for one in failed},
        seconds_left=_seconds_left(folder, list(cells.values()), states),
    )


def _seconds_left(folder: Path, cells: Sequence[Entry], states: Mapping[str, State]) -> float | None:
    spent: dict[str, list[float]] = {}
    for one in cells:
        if states[one.address] == "whole":
            seconds = read_cell(cell_folder(folder, one.address)).get("seconds", 0.0)
            spent.setdefault(one.label.row, []).append(float(seconds))
    if not spent:
        return None
    means = {row: sum(times) / len(times) for row, times in spent.items()}
    times = [one for several in spent.values() for one in several]
    usual = sum(times) / len(times)
    return sum(means.get(one.label.row, usual) for one in cells if states[one.address] in ("left", "running"))
