"""What ``zoo`` does: make its models, run detectors over them, show the table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from fuzzsmooth.apps.cli.console import answers, note
from fuzzsmooth.apps.cli.grid import show_status
from fuzzsmooth.apps.cli.problems import MISTAKE, resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.settings import read_config
from fuzzsmooth.common.files import write_atomic


def build_zoo(spec: Path, out: Path, data_root: Path | None, *, workers: int, quiet: bool) -> None:
    """Make the models that are missing.

    Raises:
        typer.Exit: With code 2 if one failed.
    """
    content = read_config(spec)
    from fuzzsmooth.bench.grid.running import run_grid
    from fuzzsmooth.bench.zoo.spec import read_zoo

    cells = read_zoo(content, str(spec), data_root)
    with resumable():
        failed = run_grid(cells, out, workers=workers, stages=Display(quiet).counts, tell=note)
    show_status(out, json=False)
    if failed:
        raise typer.Exit(MISTAKE)


def run_audits(
    spec: Path, out: Path, detectors: Sequence[str], data_root: Path | None, *, workers: int, quiet: bool
) -> None:
    """Run detectors over the models.

    Raises:
        typer.Exit: With code 2 if one failed.
    """
    content = read_config(spec)
    from fuzzsmooth.bench.zoo.auditing import audit_zoo, tasks_of
    from fuzzsmooth.bench.zoo.spec import read_zoo

    tasks = tasks_of(read_zoo(content, str(spec), data_root), detectors)
    with resumable():
        failed = audit_zoo(tasks, out, workers=workers, stages=Display(quiet).counts, tell=note)
    answers().line(f"{out}: {len(tasks) - len(failed)} of {len(tasks)} audits done")
    if failed:
        raise typer.Exit(MISTAKE)


def show_table(folder: Path, form: str, out: Path | None) -> None:
    """Show the table, or write it to a file."""
    from fuzzsmooth.bench.zoo.table import csv, markdown, zoo_rows

    rows = zoo_rows(folder)
    text = csv(rows) if form == "csv" else markdown(rows)
    if out is not None:
        write_atomic(out, text)
        answers().line(f"written: {out}")
    elif form == "csv":
        sys.stdout.write(text)
    else:
        answers().block(text)
