"""How a long run tells its progress: named stages, each counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Counts = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


class Stages(Protocol):
    """Opens a stage: ``with stages(title) as counts: ...``."""

    def __call__(self, title: str) -> AbstractContextManager[Counts]:
        """Open a stage."""
        ...


@contextmanager
def silent_stages(title: str) -> Iterator[Counts]:
    """Stages that nobody watches."""
    del title
    yield lambda _done, _total: None


def as_advance(counts: Counts, total: int) -> Callable[[int], None]:
    """A function told how many steps have just been finished, for those who do not count."""
    done = 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        counts(done, total)

    return advance
