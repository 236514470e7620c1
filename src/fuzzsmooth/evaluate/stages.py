"""How a long run tells its progress: named stages, each a count of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]
"""Told how many steps have just been finished."""


class Stages(Protocol):
    """Opens a stage: ``with stages(title, total) as advance``; ``total`` may be None while unknown."""

    def __call__(self, title: str, total: int | None) -> AbstractContextManager[Advance]:
        """Open a stage of ``total`` steps."""
        ...


@contextmanager
def silent_stages(title: str, total: int | None) -> Iterator[Advance]:
    """Stages that nobody watches."""
    del title, total
    yield lambda _steps: None
