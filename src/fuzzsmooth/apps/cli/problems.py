"""From exceptions to sentences and exit codes."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.lazy import missing_extra

MISTAKE = 2
"""Exit code of everything the user can mend."""

STOPPED = 130
"""Exit code after Ctrl-C, as shells give it."""


UNREAD = 141
"""Exit code when nobody reads standard output any more (``| head``), as shells give it."""


class Problem(NamedTuple):
    """What the user is told, and the exit code."""

    sentence: str
    code: int


class StoppedError(Exception):
    """Ctrl-C in the middle of work that the same command takes up again."""

    @staticmethod
    def sentence(*, resumable: bool) -> str:
        """What the user is told."""
        return "stopped; run the same command to go on" if resumable else "stopped"


@contextmanager
def resumable(works: bool = True) -> Iterator[None]:
    """Mark work whose finished part is kept.

    Args:
        works: Whether it is kept this time (an output file was given, ...).
    """
    try:
        yield
    except KeyboardInterrupt:
        if not works:
            raise
        raise StoppedError from None


def problem(error: Exception) -> Problem | None:
    """The sentence for an error that the user can mend; None for an error of our own."""
    if isinstance(error, StoppedError):
        return Problem(error.sentence(resumable=True), STOPPED)
    if isinstance(error, FuzzsmoothError):
        return Problem(str(error), MISTAKE)
    if isinstance(error, ImportError):
        missing = missing_extra(error)
        return None if missing is None else Problem(str(missing), MISTAKE)
    # A usage error, such as an unknown flag. Versions of typer differ in where its class lives.
    format_message = getattr(error, "format_message", None)
    if format_message is not None:
        return Problem(f"{format_message()}{_help_hint(error)}", MISTAKE)
    if isinstance(error, OSError):
        return _system_problem(error)
    if _out_of_memory(error):
        return Problem("out of memory; lower --batch-size, or give shorter or fewer texts", MISTAKE)
    return None


def _help_hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f" Try '{context.command_path} --help'." if context is not None else ""


def _system_problem(error: OSError) -> Problem | None:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(f"the disk is full{where}; free space, then run the same command again", MISTAKE)
    if error.filename and error.strerror:
        return Problem(f"{error.filename}: {error.strerror}", MISTAKE)
    return None


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # never imported for this
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
