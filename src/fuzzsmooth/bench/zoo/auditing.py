"""Running detectors over a zoo: one small file a model and detector, claimed by one process, resumable."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzzsmooth.auditing.detector import DETECTORS
from fuzzsmooth.bench.grid.cells import Cell
from fuzzsmooth.bench.grid.processes import DIED, end, one_thread, started
from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.bench.zoo.probing import Probe
from fuzzsmooth.bench.zoo.spec import twins
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.locking import LockedError, exclusive, is_locked
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.data.telling import Tell, unheard

AUDITS = "audits"
"""Folder of the records inside that of a zoo."""

_POLL = 0.5


@dataclass(frozen=True)
class Task:
    """A detector on a model."""

    cell: Cell
    detector: str
    twin: Cell | None

    def file(self, folder: Path) -> Path:
        """Where its record is kept."""
        return folder / AUDITS / f"{self.cell.address}-{self.detector}.json"


def tasks_of(cells: Sequence[Cell], detectors: Sequence[str]) -> list[Task]:
    """The tasks of a zoo: the first detector on every model, then the next.

    Raises:
        FuzzsmoothError: If there is no such detector.
    """
    kinds = {name: DETECTORS.get(name) for name in detectors}
    clean = twins(cells)
    return [
        Task(cell, name, clean.get(cell.address) if kind.needs_twin else None)
        for name, kind in kinds.items()
        for cell in cells
        if not kind.needs_twin or cell.address in clean
    ]


def audit_zoo(
    tasks: Sequence[Task],
    folder: Path,
    *,
    workers: int = 1,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
) -> dict[str, str]:
    """Do every task whose record is not there; those that failed before are tried again.

    Args:
        tasks: The tasks.
        folder: The folder of the zoo, which is built.
        workers: Processes; with one, the tasks are done in this process.
        stages: Progress display.
        tell: Told of each task that fails.

    Returns:
        The sentence of every task that failed, or was left by a worker that died.
    """
    (folder / AUDITS).mkdir(parents=True, exist_ok=True)
    for task in tasks:
        _failed(task.file(folder)).unlink(missing_ok=True)
    with stages("audits") as counts:
        if workers == 1:
            with one_thread():
                probe = Probe(folder)
                for done, task in enumerate(tasks):
                    _attempt(probe, task, folder)
                    counts(done + 1, len(tasks))
        else:
            count = min(workers, len(tasks))
            # All go through the tasks in one order, so that the first ones are done first.
            processes = started(_work, [(list(tasks), folder, number, count) for number in range(count)])
            try:
                while any(process.is_alive() for process in processes):
                    time.sleep(_POLL)
                    counts(sum(_is_done(task.file(folder)) for task in tasks), len(tasks))
            except BaseException:
                end(processes)
                raise
    failed = {}
    for task in tasks:
        file, title = _failed(task.file(folder)), f"{task.detector} on {task.cell.title}"
        if file.is_file():
            failed[title] = str(read_json_object(file).get("sentence", ""))
        elif not task.file(folder).is_file() and not is_locked(task.file(folder)):
            failed[title] = DIED
        else:
            continue
        tell(f"{title}: {failed[title]}")
    return failed


def read_records(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of a zoo, in the order of their names.

    Raises:
        FuzzsmoothError: If one is damaged.
    """
    for file in sorted((folder / AUDITS).glob("*.json")):
        if not file.name.endswith(_FAILED):
            yield read_json_object(file, mend="delete it and run 'fuzzsmooth zoo audit' again")


_FAILED = ".failed.json"


def _failed(file: Path) -> Path:
    return file.with_suffix(_FAILED)


def _is_done(file: Path) -> bool:
    return file.is_file() or _failed(file).is_file()


def _attempt(probe: Probe, task: Task, folder: Path) -> None:
    file = task.file(folder)
    if _is_done(file):
        return
    try:
        with exclusive(file):
            if not _is_done(file):
                try:
                    found = probe.record(task.cell, task.detector, task.twin)
                    write_json(file, {"version": VERSION, **found})
                except FuzzsmoothError as error:
                    write_json(_failed(file), {"sentence": str(error)})
                except Exception as error:  # noqa: BLE001 - the others are done all the same
                    sentence = f"{type(error).__name__}: {error}"
                    write_json(_failed(file), {"sentence": sentence, "trace": traceback.format_exc()})
    except LockedError:
        return


def _work(tasks: Sequence[Task], folder: Path, number: int, workers: int) -> None:
    try:
        with one_thread():
            probe = Probe(folder)
            # Its own share first, so that a model that is loaded serves several detectors; then what is left.
            for task in [*tasks[number::workers], *tasks]:
                _attempt(probe, task, folder)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
