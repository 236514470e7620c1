"""The table of a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.console import answers, write_json
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
    from fuzzsmooth.bench.catalog import ablates

    rows = [(_cells(row), "") for row in summary["rows"] if ablates(row["defense"]) is None]
    ablations = [(_cells(row), "") for row in summary["rows"] if ablates(row["defense"]) is not None]
    if ablations:
        rows += [(["ablations:"], "dim"), *ablations]
    columns = [("defense", True), ("guarantee", True), *((title, False) for title, _ in _COLUMNS)]
    page = answers()
    page.table([*columns, ("s/text", False)], rows, title=str(folder), caption=_CAPTION)
    if summary["settings"].get("unfinished") is True:
        page.line("unfinished: this run was stopped before all rows were measured")
    page.line(f"report: {folder / 'report.html'}")


def _cells(row: Mapping[str, Any]) -> list[str]:
    shares = (_share(row, name) for _, name in _COLUMNS)
    return [str(row["defense"]), str(row["guarantee"]), *shares, f"{row['seconds_per_text']:.3f}"]


def _share(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    spread = "" if row[f"{name}_sd"] is None else f"\N{PLUS-MINUS SIGN}{100 * row[f'{name}_sd']:.1f}"
    return f"{100 * row[name]:.1f}{spread}"
