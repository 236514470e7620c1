"""Where the answers of scan, predict and certify go: JSON lines, a page for people, or a count."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.answers import Record
from fuzzsmooth.apps.cli.console import answers, write_json
from fuzzsmooth.apps.cli.sheet import is_sheet, kept_in, write_sheet


def show_all(
    records: Iterable[Record],
    show: Callable[[Record], list[Any]],
    *,
    json: bool,
    output: Path | None,
    also: Sequence[Callable[[Record], None]] = (),
) -> None:
    """Show answers as they come, keeping none.

    Args:
        records: The answers.
        show: Lines for people.
        json: One JSON line each instead.
        output: The file they are in already, or the table to write them to; then only their number is told
            to people. None shows them.
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
            if json:
                write_json(record)
            elif output is None:
                for line in show(record):
                    page.line(line)
            yield record

    if output is not None and is_sheet(output):
        write_sheet(output, told())
    else:
        deque(told(), maxlen=0)
    if output is not None and not json:
        beside = f" (and in {kept_in(output)})" if is_sheet(output) else ""
        page.line(f"{seen} answers in {output}{beside}")
