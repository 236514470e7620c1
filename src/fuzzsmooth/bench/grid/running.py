"""Run a grid: lay it out, let workers measure what is left, tell how far they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.grid.cells import Cell
from fuzzsmooth.bench.grid.processes import DIED, end, one_thread, started
from fuzzsmooth.bench.grid.store import (
    Entry,
    failure,
    forget_failures,
    models_folder,
    state,
    write_manifest,
)
from fuzzsmooth.bench.grid.working import Worker
from fuzzsmooth.bench.stages import Counts, Stages, silent_stages
from fuzzsmooth.data.telling import Tell, unheard

_POLL = 1.0  # seconds between looks at what the workers have done


def run_grid(
    cells: Sequence[Cell],
    folder: Path,
    *,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
) -> dict[str, str]:
    """Measure every cell that is not whole; cells that failed before are tried again.

    A stopped grid goes on where it was, with any number of workers; several may run on one folder. Every
    worker computes with one thread, so that models do not depend on how many there are.

    Args:
        cells: The cells; see :func:`fuzzsmooth.bench.grid.cells.lay_out`.
        folder: Where the grid is kept.
        workers: Processes; with one, the cells are measured in this process.
        engine: "local", or "ray": tasks of a Ray cluster, see :mod:`fuzzsmooth.bench.grid.on_ray`.
        address: Of that cluster; by default RAY_ADDRESS, else a cluster of this machine.
        stages: Progress display.
        tell: Told of each cell that fails, and of a worker that dies.

    Returns:
        The sentence of every cell that failed, or was left by a worker that died, by its title. What
        others measure now is not among them.

    Raises:
        FuzzsmoothError: If nothing can be written to the folder, or Ray is missing.
    """
    addresses = [cell.address for cell in cells]
    write_manifest(folder, [Entry(cell.address, label) for cell in cells for label in cell.labels])
    models_folder(folder).mkdir(parents=True, exist_ok=True)
    forget_failures(folder, addresses)
    watch = _Watch(cells, folder, tell)
    if engine == "ray":
        from fuzzsmooth.bench.grid.on_ray import work_on_ray

        with stages("cells") as counts:
            work_on_ray(cells, folder, lambda: counts(watch.look(), len(cells)), address=address)
    elif workers == 1:
        with one_thread():
            Worker(folder, watch.numbered(stages)).work(cells, lambda: watch.look() <= len(cells))
    else:
        with stages("cells") as counts:
            _work_in_processes(cells, folder, workers, lambda: counts(watch.look(), len(cells)), tell)
    watch.look()
    return watch.failed | watch.left()


class _Watch:
    """Sees which cells are done, and tells once of each that failed."""

    def __init__(self, cells: Sequence[Cell], folder: Path, tell: Tell) -> None:
        self._left = {cell.address: cell.title for cell in cells}
        self._folder, self._tell, self._cells, self.done = folder, tell, len(self._left), 0
        self.failed: dict[str, str] = {}

    def numbered(self, stages: Stages) -> Stages:
        """Stages that say how many cells are done."""

        def opened(title: str) -> AbstractContextManager[Counts]:
            return stages(f"cell {self.done + 1} of {self._cells}, {title}")

        return opened

    def look(self) -> int:
        """How many cells are done, failed ones included."""
        for address, title in list(self._left.items()):
            found = state(self._folder, address)
            if found not in ("whole", "failed"):
                continue
            del self._left[address]
            self.done += 1
            if found == "failed":
                self.failed[title] = failure(self._folder, address)
                self._tell(f"{title}: {self.failed[title]}")
        return self.done

    def left(self) -> dict[str, str]:
        """The cells that nobody has measured or is measuring, which their worker should have."""
        return {
            title: DIED for address, title in self._left.items() if state(self._folder, address) == "left"
        }


def _work_in_processes(cells: Sequence[Cell], folder: Path, workers: int, look: Any, tell: Tell) -> None:
    processes = _started(cells, folder, min(workers, len(cells)))
    try:
        while any(process.is_alive() for process in processes):
            time.sleep(_POLL)
            look()
    except KeyboardInterrupt:
        # The terminal has told them too; what they were measuring is kept up to the last text.
        end(processes)
        raise
    for process in processes:
        if process.exitcode:
            tell(f"a worker ended with code {process.exitcode}; run the same command to measure what it left")


def _started(cells: Sequence[Cell], folder: Path, workers: int) -> list[BaseProcess]:
    """The workers, each beginning at another place of the list, so that they do not want the same models."""
    starts = [number * len(cells) // workers for number in range(workers)]
    return started(_work, [([*cells[start:], *cells[:start]], folder) for start in starts])


def _work(cells: Sequence[Cell], folder: Path) -> None:
    """What a worker does."""
    try:
        with one_thread():
            Worker(folder).work(cells, lambda: True)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
