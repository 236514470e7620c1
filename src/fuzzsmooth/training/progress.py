"""Progress of long loops: a plain function."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""
