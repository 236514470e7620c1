"""Flags that several commands share, so that they mean and say the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fuzzsmooth.apps.cli.console import silence_notes

_INPUT, _OUTPUT = "Input", "Output"


def _hush(quiet: bool) -> bool:
    if quiet:
        silence_notes()
    return quiet


def as_text(given: str | None) -> str | None:
    """Refuse what the command line could not read as text: a model would be asked about something else."""
    if given is not None and any("\ud800" <= one <= "\udfff" for one in given):
        raise typer.BadParameter("is not valid UTF-8; put it into a file saved as UTF-8")
    return given


Input = Annotated[
    str | None,
    typer.Argument(
        metavar="[INPUT]",
        help="A csv, tsv, jsonl, parquet or arrow file or its URL, a .txt file of one text a line, or - for "
        "stdin.",
    ),
]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", help="A text instead of INPUT; may be given again.", rich_help_panel=_INPUT),
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="builtin:reviews, a file, a folder with train and dev files, or a Hugging Face data set.",
    ),
]
RunFolder = Annotated[Path, typer.Option("--out", help="Folder of the run; a stopped one goes on.")]
Model = Annotated[str, typer.Option("--model", help="builtin:minilm, a folder, or a hub name.")]
Defense = Annotated[
    str | None,
    typer.Option(
        "--defense",
        help="A name of 'fuzzsmooth list defenses' (default: the one the model's folder was saved with, with "
        "its options, else frs).",
    ),
]
Format = Annotated[
    Literal["jsonl", "csv", "parquet"] | None,
    typer.Option("--format", help="What --output is; by its name if left out.", rich_help_panel=_OUTPUT),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start anew, even if a stopped run could be continued.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="TOML or JSON file of options; flags overrule it, unknown names are refused."
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Answer in JSON on standard output.", rich_help_panel=_OUTPUT)
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="No progress and no notes.",
        rich_help_panel=_OUTPUT,
        callback=_hush,
        is_eager=True,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="Append one JSON line per text to this file; the same command goes on where it stopped. "
        "A name in .csv or .parquet gives a table as well, the JSON lines beside it. For a URL (s3://...) "
        "they are kept on this machine until all are there.",
        rich_help_panel=_OUTPUT,
    ),
]
