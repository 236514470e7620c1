"""``fuzzsmooth evaluate``: attack, defend, measure, report."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag


def evaluate(
    out: flag.RunFolder,
    data: flag.RunData = None,
    model: flag.RunModel = None,
    recipe: Annotated[
        Literal["ripple", "badnets"] | None, typer.Option(help="The attack (default: ripple).")
    ] = None,
    trigger: Annotated[
        Literal["word", "sentence", "pair"] | None, typer.Option(help="Kind of trigger (badnets).")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Defenses to measure, separated by commas; see 'fuzzsmooth list rows'.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds, separated by commas (default: 0).")] = None,
    budgets: Annotated[
        str | None, typer.Option(help="Search budgets that rows budget-N may name, separated by commas.")
    ] = None,
    train_size: flag.TrainSize = None,
    test_size: flag.TestSize = None,
    certified_texts: Annotated[
        int | None, typer.Option(help="Test texts at most in rows of mode certified.")
    ] = None,
    draws: flag.Draws = None,
    victims: flag.RunVictims = None,
    precision: flag.RunPrecision = None,
    text_column: flag.RunTextColumn = None,
    label_column: flag.RunLabelColumn = None,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Measure defenses against an attack, with records, summary and report in one folder.

    Everything may be set in a file (--config); rows and seeds may be added to a finished run.
    """
    from fuzzsmooth.apps.cli.experiment import run, split_list, whole_numbers

    run(
        {
            "data": data,
            "model": model,
            "recipe": recipe,
            "attack.trigger": trigger,
            "rows": split_list(rows),
            "seeds": whole_numbers("--seeds", seeds),
            "budgets": whole_numbers("--budgets", budgets),
            "train_size": train_size,
            "test_size": test_size,
            "certified_texts": certified_texts,
            "victims": victims,
            "smoothing.draws": draws,
            "precision": precision,
            "text_column": text_column,
            "label_column": label_column,
        },
        config,
        out,
        json=json,
        quiet=quiet,
    )
