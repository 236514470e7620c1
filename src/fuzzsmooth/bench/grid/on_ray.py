"""Cells as tasks of a Ray cluster: the same code as local workers, on a folder that all nodes see.

Locks are those of the file system, which must know them (local disks, NFS from version 4 on). A task whose
node or process died is run again, and goes on with what it had measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.grid.cells import Cell
from fuzzsmooth.bench.grid.working import Outcome, Worker
from fuzzsmooth.common.cluster import ray_cluster

_LOOK = 1.0  # seconds between looks at the tasks
_RETRIES = 3  # of a task whose node or process died


def work_on_ray(
    cells: Sequence[Cell], folder: Path, look: Callable[[], object], *, address: str | None = None
) -> None:
    """Measure cells on a cluster until all are whole or have failed.

    Args:
        cells: The cells.
        folder: The folder of the grid, under the same path on all nodes.
        look: Called now and then, to tell of the progress.
        address: Of the cluster; see :func:`fuzzsmooth.common.cluster.ray_cluster`.

    Raises:
        FuzzsmoothError: If there is no such cluster, or Ray is not installed.
    """
    with ray_cluster("--engine ray", address) as ray:
        _work(ray, cells, folder, look)


def _work(ray: Any, cells: Sequence[Cell], folder: Path, look: Callable[[], object]) -> None:
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
