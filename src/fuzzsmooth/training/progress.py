"""Progress of long loops: a plain function."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


def stage(progress: Progress, offset: int, total: int) -> Progress:
    """The progress of the stage that begins at step ``offset`` of one progress over several stages."""
    return lambda done, _total: progress(offset + done, total)


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""
