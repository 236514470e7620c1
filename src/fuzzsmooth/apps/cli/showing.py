"""Where the answers of scan, predict and certify go: JSON lines, a page for people, or a count."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.console import answers, write_json
from fuzzsmooth.jobs.answering import Record
from fuzzsmooth.jobs.sheet import kept_in, write_sheet


@dataclass(frozen=True)
class Output:
    """Where answers go.

    Attributes:
        path: The file they are kept in, or the table to write them to; None shows them to people.
        table: Whether it is a table.
        json: Whether each is shown as a JSON line.
    """

    path: Path | None
    table: bool
    json: bool

    @property
    def kept(self) -> Path | None:
        """The file of JSON lines that a stopped command goes on from.

        Raises:
            FuzzsmoothError: As :func:`fuzzsmooth.jobs.sheet.kept_in`.
        """
        return None if self.path is None else kept_in(self.path, table=self.table)


def show_all(
    records: Iterable[Record],
    show: Callable[[Record], list[Any]],
    output: Output,
    *,
    also: Sequence[Callable[[Record], None]] = (),
) -> None:
    """Show answers as they come, keeping none; those in a file are only counted for people.

    Args:
        records: The answers.
        show: Lines for people.
        output: Where they go.
        also: What else is told each answer, such as a count; before it is shown.
    """
    page = answers()
    seen = 0

    def told() -> Iterator[Record]:
        nonlocal seen
        for record in records:
            seen += 1
            for tell in also:
                tell(record)
            if output.json:
                write_json(record)
            elif output.path is None:
                for line in show(record):
                    page.line(line)
            yield record

    if output.path is not None and output.table:
        write_sheet(output.path, told())
    else:
        deque(told(), maxlen=0)
    if output.path is not None and not output.json:
        beside = f" (and in {output.kept})" if output.table else ""
        page.line(f"{seen} answers in {output.path}{beside}")
