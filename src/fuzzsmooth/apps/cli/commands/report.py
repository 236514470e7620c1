"""``fuzzsmooth report``: build the page of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, with records.jsonl and settings.json.")],
    json: flag.Json = False,
) -> None:
    """Rebuild summary.json and report.html from the records of a run; no model is needed."""
    from fuzzsmooth.apps.cli.table import show_run
    from fuzzsmooth.report import build_report

    build_report(folder)
    show_run(folder, json=json)
