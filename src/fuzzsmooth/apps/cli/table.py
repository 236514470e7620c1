"""The table of a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.console import answers, write_json
from fuzzsmooth.common.printing import printable
from fuzzsmooth.common.reading import read_json_object

_COLUMNS = (
    ("CA", "ca"),
    ("PA", "pa"),
    ("ASR", "asr"),
    ("floor", "asr_floor"),
    ("found", "localization_recall"),
    ("false", "false_flag_rate"),
    ("abst.", "abstention_rate"),
)

_CAPTION = (
    "Shares in % over all seeds. ASR is to be compared with its floor; found: triggers wholly flagged; "
    "false: clean texts with a flag; abst.: clean texts without an answer."
)
_WIDE = 120  # columns where there is no terminal to fit into


def show_run(folder: Path, *, json: bool) -> None:
    """Show the summary of a run, and where its report is.

    Args:
        folder: A folder with ``summary.json``.
        json: Write the summary as one JSON line instead.
    """
    summary = read_json_object(folder / "summary.json")
    if json:
        write_json(summary)
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from fuzzsmooth.evaluate.catalog import ablates

    table = Table(title=str(folder), caption=_CAPTION, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("defense", overflow="fold")
    table.add_column("guarantee", overflow="fold")
    for title, _ in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("s/text", justify="right", no_wrap=True)
    usual = [row for row in summary["rows"] if ablates(row["defense"]) is None]
    ablations = [row for row in summary["rows"] if ablates(row["defense"]) is not None]
    for row in usual:
        table.add_row(*_cells(row))
    if ablations:
        table.add_row("ablations:", style="dim")
    for row in ablations:
        table.add_row(*_cells(row))
    console = answers()
    console.soft_wrap = False  # a table is laid out to the width there is
    if not console.is_terminal:
        console.width = max(console.width, _WIDE)
    console.print(table)
    console.soft_wrap = True
    if summary["settings"].get("unfinished") is True:
        console.print("unfinished: this run was stopped before all rows were measured")
    console.print(f"report: {folder / 'report.html'}")


def _cells(row: Mapping[str, Any]) -> list[str]:
    shares = (_share(row, name) for _, name in _COLUMNS)
    return [printable(row["defense"]), row["guarantee"], *shares, f"{row['seconds_per_text']:.3f}"]


def _share(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    spread = "" if row[f"{name}_sd"] is None else f"\N{PLUS-MINUS SIGN}{100 * row[f'{name}_sd']:.1f}"
    return f"{100 * row[name]:.1f}{spread}"
