"""Flags that several commands share, so that they mean and say the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fuzzsmooth.apps.cli.console import silence_notes

_INPUT, _MODEL, _SEARCH, _SMOOTHING, _OUTPUT = "Input", "Model", "Search", "Smoothing", "Output"
_WINDOWS = "Mode windows"


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
        help="A csv, tsv, jsonl, parquet or arrow file, a .txt file of one text a line, or - for stdin.",
    ),
]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", help="A text instead of INPUT; may be given again.", rich_help_panel=_INPUT),
]
TextColumn = Annotated[str, typer.Option(help="Column of the texts.", rich_help_panel=_INPUT)]
LabelColumn = Annotated[str, typer.Option(help="Column of the labels.", rich_help_panel=_INPUT)]
StdinFormat = Annotated[
    Literal["txt", "csv", "tsv", "jsonl"],
    typer.Option(help="How to read standard input.", rich_help_panel=_INPUT),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Stop at the first bad row; otherwise it is reported and left out."),
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="builtin:reviews, a file, a folder with train and dev files, or a Hugging Face data set.",
    ),
]
TrainSize = Annotated[int | None, typer.Option(help="Training texts at most.", rich_help_panel=_INPUT)]
TestSize = Annotated[int | None, typer.Option(help="Test texts at most.", rich_help_panel=_INPUT)]

RunFolder = Annotated[Path, typer.Option("--out", help="Folder of the run; a stopped one goes on.")]
RunData = Annotated[
    str | None,
    typer.Option("--data", help="A data set, as in 'fuzzsmooth data' (default: builtin:reviews)."),
]
RunModel = Annotated[
    str | None, typer.Option("--model", help="The clean pre-trained model (default: builtin:minilm).")
]
RunTextColumn = Annotated[str | None, typer.Option(help="Column of the texts (default: text).")]
RunLabelColumn = Annotated[str | None, typer.Option(help="Column of the labels (default: label).")]
RunPrecision = Annotated[
    Literal["auto", "float32", "bfloat16"] | None, typer.Option(help="Arithmetic of the evaluations.")
]
RunVictims = Annotated[
    str | None, typer.Option(help="Folder of attacked and fine-tuned models that several runs share.")
]

Model = Annotated[str, typer.Option("--model", help="builtin:minilm, a folder, or a hub name.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...", rich_help_panel=_MODEL)]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    typer.Option(help="Arithmetic; auto is bfloat16 where it is native.", rich_help_panel=_MODEL),
]
BatchSize = Annotated[int, typer.Option(help="Texts per forward pass.", rich_help_panel=_MODEL)]
MaxLength = Annotated[
    int | None, typer.Option(help="Cut texts after so many tokens.", rich_help_panel=_MODEL)
]
AllowBin = Annotated[
    bool,
    typer.Option(
        "--allow-bin",
        help="Read the tensors of a .bin checkpoint if there are no safetensors; code is never run.",
        rich_help_panel=_MODEL,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(help="Processor threads of the arithmetic; by default PyTorch's.", rich_help_panel=_MODEL),
]
References = Annotated[
    Path | None,
    typer.Option(
        help="Clean reference texts, as finetune writes them beside a model.", rich_help_panel=_SEARCH
    ),
]
Clean = Annotated[
    str | None,
    typer.Option(
        help="Clean labeled data to choose reference texts from, where the model has none.",
        rich_help_panel=_SEARCH,
    ),
]
CleanTextColumn = Annotated[
    str | None,
    typer.Option(help="Column of the texts of --clean, if it is not --text-column.", rich_help_panel=_SEARCH),
]
CleanLabelColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of the labels of --clean, if it is not --label-column.", rich_help_panel=_SEARCH
    ),
]
Reward = Annotated[
    Literal["transplant", "kl"] | None,
    typer.Option(help="What makes a segment suspicious.", rich_help_panel=_SEARCH),
]
Strategy = Annotated[
    Literal["tree", "greedy", "random"] | None,
    typer.Option(help="How segments are proposed.", rich_help_panel=_SEARCH),
]
Budget = Annotated[
    int | None, typer.Option(help="Forward evaluations per text of the search.", rich_help_panel=_SEARCH)
]
Unit = Annotated[
    Literal["word", "character", "token"] | None,
    typer.Option(help="What is scanned, randomized and counted.", rich_help_panel=_SMOOTHING),
]
Mode = Annotated[
    Literal["frs", "certified", "windows"] | None,
    typer.Option(
        help="frs: as published, conditional radius. certified: deletion first, proved radii. "
        "windows: deletion in all places, proved with certainty.",
        rich_help_panel=_SMOOTHING,
    ),
]
Fuzzing = Annotated[
    bool | None,
    typer.Option(
        "--fuzzing/--no-fuzzing", help="Search for vulnerable segments.", rich_help_panel=_SMOOTHING
    ),
]
Sigma = Annotated[
    float | None,
    typer.Option(help="Standard deviation of the parameter noise; 0 for none.", rich_help_panel=_SMOOTHING),
]
TopLayers = Annotated[
    int | None, typer.Option(help="Layers from the top that get the noise.", rich_help_panel=_SMOOTHING)
]
Copies = Annotated[int | None, typer.Option(help="Draws K in mode frs.", rich_help_panel=_SMOOTHING)]
Draws = Annotated[
    int | None, typer.Option(help="Passes per text at most in mode certified.", rich_help_panel=_SMOOTHING)
]
Ablation = Annotated[
    Literal["insert", "edit", "replace", "scattered-insert", "scattered-edit", "detect"] | None,
    typer.Option(help="What mode windows defends against.", rich_help_panel=_WINDOWS),
]
Reach = Annotated[
    int | None, typer.Option(help="Units an attacker may insert or change.", rich_help_panel=_WINDOWS)
]
Passes = Annotated[int | None, typer.Option(help="Passes per text at most.", rich_help_panel=_WINDOWS)]
Rate = Annotated[
    float | None, typer.Option(help="Deletion rate of mode certified.", rich_help_panel=_SMOOTHING)
]
RateHigh = Annotated[
    float | None, typer.Option(help="omega_H, in vulnerable areas (mode frs).", rich_help_panel=_SMOOTHING)
]
RateLow = Annotated[
    float | None, typer.Option(help="omega_L, elsewhere (mode frs).", rich_help_panel=_SMOOTHING)
]
Seed = Annotated[int | None, typer.Option(help="Seed of all random choices.")]
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
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Append one JSON line per text to this file; the same command goes on where it stopped. "
        "A name in .csv gives a table as well, the JSON lines beside it.",
        rich_help_panel=_OUTPUT,
    ),
]
