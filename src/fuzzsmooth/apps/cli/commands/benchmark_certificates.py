"""``fuzzsmooth benchmark-certificates``: certified accuracy side by side with the baselines."""

from __future__ import annotations

from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag


def benchmark_certificates(
    out: flag.RunFolder,
    data: flag.RunData = None,
    model: flag.RunModel = None,
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
    precision: flag.RunPrecision = None,
    text_column: flag.RunTextColumn = None,
    label_column: flag.RunLabelColumn = None,
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
