"""What is written: answers to standard output, everything about the way there to standard error.

Texts, labels, names and sentences hold what strangers wrote. Nothing in this room writes to a stream but the
functions here, and all of them make what they are given fit to be seen.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.printing import escaped_json, printable, short_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_SHOWN = 10  # notes of one kind; a large file may have thousands of bad rows
_LONGEST_LINE = 10_000  # characters of a line for people
_SENTENCE_START, _SENTENCE_END = 2_000, 1_000  # characters of a sentence; its end says how to mend it
_WIDE = 120  # columns of a table where there is no terminal to fit into

_silent_notes = False


def prepare_streams() -> None:
    """Let a stream whose encoding lacks a character escape it, and replace those that the caller closed.

    A closed one would leave its number to the next file that is opened, which then got the answers.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Page:
    """People's answers on standard output: lines that never wrap, and tables; colors on a terminal only."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console: Console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)

    def line(self, line: str | Text, style: str = "") -> None:
        """One line, whatever it holds; a very long one is cut."""
        from rich.text import Text

        shown = line.copy() if isinstance(line, Text) else Text(printable(line))
        shown.plain = short_name(shown.plain, _LONGEST_LINE)
        self._console.print(shown, style=style)

    def block(self, text: str) -> None:
        """Several lines."""
        for line in text.split("\n"):
            self.line(line)

    def table(
        self,
        columns: Sequence[tuple[str, bool]],
        rows: Sequence[tuple[Sequence[str], str]],
        *,
        title: str = "",
        caption: str = "",
    ) -> None:
        """A table laid out to the width there is.

        Args:
            columns: Each column's title, and whether it holds words (which may be folded) or numbers.
            rows: The cells of each row, missing ones empty, and its style.
            title: Stands above it.
            caption: Stands below it.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        shown = Table(
            title=Text(short_name(title)) if title else None,
            caption=Text(printable(caption)) if caption else None,
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for name, words in columns:
            if words:
                shown.add_column(printable(name), overflow="fold")
            else:
                shown.add_column(printable(name), justify="right", no_wrap=True)
        for cells, style in rows:
            shown.add_row(*(Text(short_name(cell)) for cell in cells), style=style)
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, _WIDE)
        self._console.print(shown, soft_wrap=False)


def answers() -> Page:
    """The page for people's answers on standard output."""
    return Page()


def write_json(value: Any) -> None:
    """One line of JSON on standard output, always UTF-8."""
    line = escaped_json(json.dumps(value, ensure_ascii=False, allow_nan=False)) + "\n"
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower().replace("-", "") != "utf8":
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(line)
    sys.stdout.flush()  # a reader of the pipe gets each answer when it is there


def abandon_output() -> None:
    """Drop what standard output cannot take, so that the interpreter does not complain of it at its end."""
    stream = sys.__stdout__ or sys.stdout  # not what the framework may have put before it
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(sentence: str) -> None:
    """One line on standard error, whatever the sentence holds."""
    with suppress(OSError):  # nowhere is left to say it
        sys.stderr.write(f"fuzzsmooth: {printable(_cut(' '.join(sentence.split())))}\n")
        sys.stderr.flush()


@contextmanager
def notes_as_asked() -> Iterator[None]:
    """Within, notes are shown until :func:`silence_notes` is called; what is set then ends here."""
    global _silent_notes
    _silent_notes = False
    try:
        yield
    finally:
        _silent_notes = False


def silence_notes() -> None:
    """Show no notes any more in this command."""
    global _silent_notes
    _silent_notes = True


def note(sentence: str) -> None:
    """A remark that does not stop anything."""
    if not _silent_notes:
        complain(f"note: {sentence}")


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Within, what libraries warn of is a note; what they tell programmers is left out."""

    def show(message: Warning | str, category: type[Warning], *_place: Any, **_more: Any) -> None:
        if issubclass(category, UserWarning | RuntimeWarning):
            note(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


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


def _cut(sentence: str) -> str:
    if len(sentence) <= _SENTENCE_START + _SENTENCE_END:
        return sentence
    return f"{sentence[:_SENTENCE_START]} … {sentence[-_SENTENCE_END:]}"
