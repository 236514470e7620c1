"""Where the answers of scan, predict and certify go: JSON lines, a page for people, or a count."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
) -> list[Record]:
    """Show answers as they come.

    Args:
        records: The answers.
        show: Lines for people.
        json: One JSON line each instead.
        output: The file they are in already, or None; then only their number is told to people.

    Returns:
        The answers.
    """
    console = answers()
    seen = []
    for record in records:
        seen.append(record)
        if json:
            write_json(record)
        elif output is None:
            for line in show(record):
                console.print(line)
    if output is not None and not json:
        console.print(f"{len(seen)} answers in {output}")
    return seen
