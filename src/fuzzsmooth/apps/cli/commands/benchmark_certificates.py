"""``fuzzsmooth benchmark-certificates``: certified accuracy side by side with the baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag


def benchmark_certificates(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run; a stopped one goes on.")],
    data: Annotated[
        str | None,
        typer.Option("--data", help="A data set, as in 'fuzzsmooth data' (default: builtin:reviews)."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The pre-trained model (default: builtin:minilm).")
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            help="Rows, separated by commas, such as rs-del:0.9, ranmask:0.9, deletion:0.9, windows; all are "
            "in 'fuzzsmooth list certificates'."
        ),
    ] = None,
    train_size: flag.TrainSize = None,
    test_size: flag.TestSize = None,
    draws: Annotated[
        int | None, typer.Option(help="Copies of a text that is voted on (default: 1000).")
    ] = None,
    longest: Annotated[
        int | None, typer.Option(help="Longest contiguous trigger in words (default: 5).")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data of the plain model and the baselines.")
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None, typer.Option(help="Arithmetic of the evaluations.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column of the texts (default: text).")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the labels (default: label).")] = None,
    seed: flag.Seed = None,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Train base models, certify test texts, and compare: records, summary, table and curves in one folder.

    Certificates of ours stand beside RS-Del / CERT-ED and RanMASK, on the same data, alpha and number of
    copies. Rows may be added to a finished run. Everything may be set in a file (--config).
    """
    from fuzzsmooth.apps.cli.certification import run
    from fuzzsmooth.apps.cli.experiment import split_list

    run(
        {
            "data": data,
            "model": model,
            "rows": split_list(rows),
            "train_size": train_size,
            "test_size": test_size,
            "draws": draws,
            "longest": longest,
            "finetune.epochs": epochs,
            "precision": precision,
            "text_column": text_column,
            "label_column": label_column,
            "seed": seed,
        },
        config,
        out,
        json=json,
        quiet=quiet,
    )
