"""Watching a vote while it is counted: for a page that shows it fill up.

Who watches is told every answer as the sampler gets it. The draws of a call are then handed to the model in
small parts instead of together; a draw is a function of its address, so they are the same draws.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt

Watch = Callable[[npt.NDArray[np.int64]], None]
"""Told the answers to some draws or masks: class indices, or ``UNDECIDED``. What it raises ends the vote."""

_FIRST = 4  # draws of a first part
_SECONDS = 0.1  # that a part takes about: as often as an eye can follow

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within, and in this thread, all votes are told to one who watches.

    Args:
        watch: Who.
    """
    before = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(before)


def tell(answers: npt.NDArray[np.int64]) -> None:
    """Tell answers to who watches, if anybody does.

    Args:
        answers: Shape (draws,).
    """
    watch = _watch.get()
    if watch is not None:
        watch(answers)


def parts(count: int, together: int) -> Iterator[slice]:
    """Cut draws into parts that are asked about one after the other.

    Args:
        count: The draws.
        together: Draws of a part at most; somebody who watches gets smaller ones, each about as long as an
            eye needs.
    """
    start = 0
    size = together if _watch.get() is None else min(_FIRST, together)
    while start < count:
        begun = time.monotonic()
        yield slice(start, min(count, start + size))
        start += size
        if size < together and time.monotonic() - begun < _SECONDS / 2:
            size = min(together, 2 * size)
