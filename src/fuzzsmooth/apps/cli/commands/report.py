"""``fuzzsmooth report``: build the page of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag


def report(
    folder: Annotated[
        Path, typer.Argument(help="Folder of a run of demo, evaluate or benchmark-certificates.")
    ],
    json: flag.Json = False,
) -> None:
    """Rebuild summary, page, table and curves of a run from its records; no model is needed."""
    from fuzzsmooth.apps.cli.certification import show_certification
    from fuzzsmooth.apps.cli.run_table import show_run
    from fuzzsmooth.report import build_certification, build_report, is_certification

    if is_certification(folder):
        show_certification(build_certification(folder), json=json)
        return
    build_report(folder)
    show_run(folder, json=json)
