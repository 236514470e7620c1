"""Cells as tasks of a Ray cluster: the same code as local workers, on a folder that all nodes see.

The cluster is the one that ``ray.init`` finds (``RAY_ADDRESS``), or this machine. Locks are those of the
file system, which must know them (local disks, NFS from version 4 on).
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.grid.cells import Cell
from fuzzsmooth.bench.grid.working import Outcome, Worker
from fuzzsmooth.common.errors import MissingExtraError

_LOOK = 1.0  # seconds between looks at the tasks
_RETRIES = 3  # of a task whose node or process died


def work_on_ray(cells: Sequence[Cell], folder: Path, look: Callable[[], object]) -> None:
    """Measure cells on a cluster until all are whole or have failed.

    Args:
        cells: The cells.
        folder: The folder of the grid, under the same path on all nodes.
        look: Called now and then, to tell of the progress.

    Raises:
        MissingExtraError: If Ray is not installed.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "--engine ray") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    gpus = ray.cluster_resources().get("GPU", 0)
    task = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_retries=_RETRIES)(_attempt)
    places = max(1, int(gpus or ray.cluster_resources().get("CPU", 1)))
    place, left = str(folder.resolve()), deque(cells)
    running: dict[Any, Cell] = {}
    try:
        while left or running:
            while left and len(running) < places:
                cell = left.popleft()
                running[task.remote(cell, place)] = cell
            done, _ = ray.wait(list(running), timeout=_LOOK)
            for one in done:
                cell = running.pop(one)
                if ray.get(one) == "busy":
                    left.append(cell)
            look()
    except KeyboardInterrupt:
        for one in running:
            ray.cancel(one, force=True)
        raise


def _attempt(cell: Cell, folder: str) -> Outcome:
    """A task: one cell, with one thread."""
    import time

    from fuzzsmooth.bench.grid.processes import one_thread

    with one_thread():
        outcome = Worker(Path(folder)).attempt(cell)
    if outcome == "busy":
        time.sleep(_LOOK)  # another task is making what it needs
    return outcome
