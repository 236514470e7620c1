"""Progress on standard error: bars with time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fuzzsmooth.common.printing import short_name

Advance = Callable[[int], None]
"""Told how many steps have just been finished."""

Counts = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""

_INTERVAL = 30.0  # seconds between plain lines


class Display:
    """Shows stages of work.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    @property
    def shares_terminal(self) -> bool:
        """Whether a bar is drawn on the terminal that answers are printed on; they must wait for it then."""
        return not self._quiet and sys.stderr.isatty() and sys.stdout.isatty()

    @contextmanager
    def counts(self, title: str, total: int | None = None) -> Iterator[Counts]:
        """A stage told as (done, total); the total may become known only then."""
        title = short_name(title)
        if self._quiet:
            yield lambda _done, _total: None
        elif sys.stderr.isatty():
            with _bar(title, total) as update:
                yield update
        else:
            yield _PlainLines(title)

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """A stage told by its steps."""
        done = 0
        with self.counts(title, total) as update:

            def advance(steps: int) -> None:
                nonlocal done
                done += steps
                update(done, total or 0)

            yield advance


class _PlainLines:
    """A line every half minute, for logs; nothing for short work."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last < _INTERVAL:
            return
        self._last = now
        spent = now - self._started
        left = f" of {total}, {spent / done * (total - done):.0f} s left" if total and done else ""
        sys.stderr.write(f"{self._title}: {done}{left}\n")
        sys.stderr.flush()


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Counts]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(title, total=total)
        yield lambda done, whole: display.update(task, completed=done, total=whole or None)
