"""Watching a vote while it is counted: for a page that shows it fill up.

Who watches is told the answers as the evaluator gets them. What is asked together is then handed to the model
in parts that cost nothing more: all sequences of one length, as batches of fixed shapes are cut anyway, or a
few strings, or a few draws of a noisy model. The draws, and so the answers, are the same.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt

Watch = Callable[[npt.NDArray[np.int64]], None]
"""Told the answers to some draws or masks: class indices, ``UNDECIDED`` or ``UNSURE``. What it raises
ends the vote."""

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


def is_watched() -> bool:
    """Whether anybody watches."""
    return _watch.get() is not None


def tell(answers: npt.NDArray[np.int64]) -> None:
    """Tell answers to who watches, if anybody does.

    Args:
        answers: Shape (draws,).
    """
    watch = _watch.get()
    if watch is not None and len(answers):
        watch(answers)


def parts(count: int) -> Iterator[slice]:
    """Cut draws into parts: into one if nobody watches, else into such as an eye can follow.

    Args:
        count: The draws, >= 0.
    """
    start, size = 0, _FIRST if is_watched() else count
    while start < count:
        begun = time.monotonic()
        yield slice(start, min(count, start + size))
        start += size
        if time.monotonic() - begun < _SECONDS / 2:
            size *= 2


def by_length(rows: Sequence[Sized]) -> list[list[int]]:
    """Indices of token sequences in parts: in one if nobody watches, else the longest first, one a length.

    Args:
        rows: The sequences.
    """
    if not is_watched():
        return [list(range(len(rows)))] if rows else []
    groups: dict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[len(row)].append(index)
    return [groups[length] for length in sorted(groups, reverse=True)]
