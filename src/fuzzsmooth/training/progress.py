"""Progress of long loops: a plain function, and a terminal bar that is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """A terminal bar on standard error with elapsed time and time left.

    Args:
        title: What is being done.

    Yields:
        The progress function that moves the bar.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(title, total=None)

        def update(done: int, total: int) -> None:
            display.update(task, completed=done, total=total)

        yield update
