"""What is written: answers to standard output, everything about the way there to standard error."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.printing import printable

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 10  # notes of one kind; a large file may have thousands of bad rows


def tolerate_any_text() -> None:
    """Let a stream whose encoding lacks a character escape it instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def answers() -> Console:
    """The console for people's answers on standard output; never wraps, colors on a terminal only."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def write_json(value: Any) -> None:
    """One line of JSON on standard output, always UTF-8."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower().replace("-", "") != "utf8":
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(line)
    sys.stdout.flush()  # a reader of the pipe gets each answer when it is there


def abandon_output() -> None:
    """Drop what standard output cannot take, so that the interpreter does not complain of it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(sentence: str) -> None:
    """One line on standard error, whatever the sentence holds."""
    sys.stderr.write(f"fuzzsmooth: {printable(' '.join(sentence.split()))}\n")


def note(sentence: str) -> None:
    """A remark that does not stop anything."""
    complain(f"note: {sentence}")


def notes(sentences: Sequence[str], rest: str) -> None:
    """Several remarks of one kind, cut to a readable number.

    Args:
        sentences: The remarks.
        rest: What those that are not shown are, as in "12 more bad rows".
    """
    for sentence in sentences[:_SHOWN]:
        note(sentence)
    if len(sentences) > _SHOWN:
        note(f"{len(sentences) - _SHOWN} more {rest}")
