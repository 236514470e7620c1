"""Where the answers of scan, predict and certify go: JSON lines, a page for people, or a count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.answers import Record
from fuzzsmooth.apps.cli.console import answers, write_json


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
        output: The file they are in already, or None; then only their number is told to people.
        also: What else is told each answer, such as a count; before it is shown.
    """
    page = answers()
    seen = 0
    for record in records:
        seen += 1
        for tell in also:
            tell(record)
        if json:
            write_json(record)
        elif output is None:
            for line in show(record):
                page.line(line)
    if output is not None and not json:
        page.line(f"{seen} answers in {output}")
