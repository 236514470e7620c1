"""Worker processes of one thread each: how they are begun, and ended."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

_GRACE = 10.0  # seconds that a worker has to end after Ctrl-C
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread inside of it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


DIED = "its worker died; run the same command again, with fewer workers if memory was short"
"""Of what nobody has done or is doing once all workers have ended."""


def started(work: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> list[BaseProcess]:
    """Processes under way, whose libraries use one thread.

    Args:
        work: What each does; a function of a module, as processes are spawned.
        arguments: Those of each.
    """
    spawn = multiprocessing.get_context("spawn")
    processes: list[BaseProcess] = []
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        for number, own in enumerate(arguments, 1):
            process = spawn.Process(target=_bound, args=(work, own), name=f"worker {number}")
            process.start()
            processes.append(process)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return processes


def _bound(work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Work, and end with the process that began it: killed, it cannot end its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
    work(*arguments)


def end(processes: Sequence[BaseProcess]) -> None:
    """End processes, by force where they do not in time."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_GRACE)
        if process.is_alive():
            process.kill()
            process.join()
