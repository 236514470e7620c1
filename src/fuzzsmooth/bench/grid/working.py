"""Cells are measured here: one after another, each claimed by one process, whoever else is at work."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from fuzzsmooth.attacks import check_target, wanted_target
from fuzzsmooth.bench.experiment import measure_row
from fuzzsmooth.bench.grid.cells import Cell, address, data_of
from fuzzsmooth.bench.grid.sharing import SharedRun
from fuzzsmooth.bench.grid.store import FAILED, begin, cell_folder, fail, finish, is_whole
from fuzzsmooth.bench.records import RECORDS_FILE
from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger
from fuzzsmooth.common.locking import LockedError, exclusive
from fuzzsmooth.common.options import require

Outcome = Literal["whole", "failed", "busy"]

_WAIT = 0.5  # seconds until what others are making is asked for again


class Worker:
    """Measures cells of a grid in this process.

    Args:
        folder: The folder of the grid.
        stages: Progress display.
    """

    def __init__(self, folder: Path, stages: Stages = silent_stages) -> None:
        self._folder, self._stages = folder, stages
        self._run: tuple[str, SharedRun] | None = None

    def work(self, cells: Sequence[Cell], goes_on: Callable[[], bool]) -> None:
        """Measure every cell that nobody else measures, until all are whole or have failed.

        A cell that another process has, or whose model another is making, is put behind the others.

        Args:
            cells: The cells, in the order of this worker.
            goes_on: Asked before each cell; False ends it.
        """
        left, refused = deque(cells), 0
        while left and goes_on():
            cell = left.popleft()
            if self.attempt(cell) != "busy":
                refused = 0
                continue
            left.append(cell)
            refused += 1
            if refused >= len(left):
                time.sleep(_WAIT)
                refused = 0

    def attempt(self, cell: Cell) -> Outcome:
        """Measure a cell, unless it is whole or another process has it.

        What a user can mend, and a bug of one defense, fails the cell and not the grid: the sentence is kept
        beside its records.

        Returns:
            What came of it.
        """
        place = cell_folder(self._folder, cell.address)
        if is_whole(place):
            return "whole"
        if (place / FAILED).is_file():
            return "failed"
        try:
            with exclusive(place):
                if (place / FAILED).is_file():
                    return "failed"
                try:
                    if not is_whole(place):
                        self._measure(cell, place)
                except LockedError:
                    raise
                except FuzzsmoothError as error:
                    fail(place, str(error))
                    return "failed"
                except Exception as error:  # noqa: BLE001 - the others are measured all the same
                    fail(place, f"{type(error).__name__}: {error}", traceback.format_exc())
                    return "failed"
        except LockedError:
            return "busy"
        return "whole"

    def _measure(self, cell: Cell, place: Path) -> None:
        began, row = time.monotonic(), cell.row
        splits, _ = data_of(cell.options)
        require(
            (splits.train.fingerprint, splits.test.fingerprint) == cell.data,
            "the data have changed since the grid was begun; run it again",
        )
        wanted = wanted_target(cell.options.planting())
        if wanted is not None:
            check_target(splits.train, wanted)
        begin(
            place,
            {
                "title": cell.title,
                "row": row.name,
                "summary": row.summary,
                "guarantee": row.defense.guarantee,
                "needs": str(row.defense.needs),
                "unit": getattr(row.options, "unit", "word"),
                "options": row.options.to_mapping(),
                "attack": cell.options.attack,
                "train_sha256": cell.data[0],
                "test_sha256": cell.data[1],
            },
        )
        run = self._shared(cell)
        before = run.seconds
        attack = run.aimed()
        ledger = Ledger(place / RECORDS_FILE)
        measure_row(row, run, attack, ledger)
        measured = sum(float(record["seconds"]) for record in ledger.stream())
        made = run.seconds - before
        finish(
            place,
            {
                "target": attack.target,
                "texts": len(ledger),
                # A cell that was stopped and resumed counts what all its answers took.
                "seconds": round(max(time.monotonic() - began, measured + made), 3),
                "making_seconds": round(made, 3),
                **run.costs(row),
                "warnings": list(run.warnings(row)),
            },
        )

    def _shared(self, cell: Cell) -> SharedRun:
        """The run of the cell's attack and seed, with the model that it has loaded, if it was the last."""
        plain = {**cell.options.to_mapping(), "rows": (), "test": cell.data}
        name = address(plain)
        if self._run is None or self._run[0] != name:
            self._run = name, SharedRun(cell, self._folder, self._stages)
        return self._run[1]
