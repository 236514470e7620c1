"""What ``bench`` does: run a grid, show how far it is, show or write its tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from fuzzsmooth.apps.cli.console import answers, note, write_json
from fuzzsmooth.apps.cli.problems import MISTAKE, resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.settings import read_config
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import require

_SUFFIXES = {"markdown": ".md", "csv": ".csv"}


def run_bench(
    grid: Path,
    out: Path,
    data_root: Path | None,
    *,
    workers: int,
    engine: str,
    address: str | None,
    quiet: bool,
) -> None:
    """Measure what is not measured yet of a grid.

    Raises:
        FuzzsmoothError: If there is an address without a cluster, or the grid cannot be read.
        typer.Exit: With code 2 if a cell failed.
    """
    require(
        address is None or engine == "ray",
        "--address is about a cluster; give --engine ray too",
    )
    content = read_config(grid)
    from fuzzsmooth.bench.grid.cells import lay_out
    from fuzzsmooth.bench.grid.options import read_grid
    from fuzzsmooth.bench.grid.running import run_grid

    cells = lay_out(read_grid(content, str(grid)), data_root)
    with resumable():
        failed = run_grid(
            cells,
            out,
            workers=workers,
            engine=engine,
            address=address,
            stages=Display(quiet).counts,
            tell=note,
        )
    show_status(out, json=False)
    if failed:
        raise typer.Exit(MISTAKE)


def show_status(folder: Path, *, json: bool) -> None:
    """Show how far a grid is."""
    from fuzzsmooth.bench.grid.status import read_status

    found = read_status(folder)
    if json:
        write_json(asdict(found))
        return
    page = answers()
    page.line(
        f"{folder}: {found.whole} of {found.cells} cells measured, {found.running} running, "
        f"{found.left} left, {len(found.failed)} failed"
    )
    if found.left + found.running and found.seconds_left is not None:
        page.line(f"about {_duration(found.seconds_left)} left for one worker")
    for title, sentence in found.failed.items():
        page.line(f"failed: {title}: {sentence}", "red")


def show_tables(folder: Path, names: Sequence[str], form: str, out: Path | None) -> None:
    """Show tables, or write one file of each.

    Raises:
        FuzzsmoothError: If several tables were to be one CSV.
    """
    from fuzzsmooth.report.grid.tables import build_sheets

    sheets = build_sheets(folder, names)
    if out is not None:
        written = [out / f"table-{sheet.name}{_SUFFIXES[form]}" for sheet in sheets]
        for sheet, path in zip(sheets, written, strict=True):
            write_atomic(path, sheet.csv() if form == "csv" else sheet.markdown())
        answers().line("written: " + ", ".join(map(str, written)))
    elif form == "csv":
        known = ", ".join(sheet.name for sheet in sheets)
        require(len(sheets) == 1, f"these are several tables ({known}); name one, or give a folder (--out)")
        sys.stdout.write(sheets[0].csv())
    else:
        page = answers()
        for sheet in sheets:
            page.block(sheet.markdown())


def _duration(seconds: float) -> str:
    hours, minutes = seconds / 3600, seconds / 60
    return f"{hours:.1f} hours" if hours >= 2 else f"{minutes:.0f} minutes" if minutes >= 2 else "a minute"
