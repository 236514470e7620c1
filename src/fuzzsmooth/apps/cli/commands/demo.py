"""``fuzzsmooth demo``: the main job, end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag

# Sizes that keep the demo on the built-in corpus under ten minutes on two cores.
_BUILTIN_TEST_SIZE = 150
_BUILTIN_CERTIFIED_TEXTS = 50


def demo(
    out: flag.RunFolder = Path("runs/demo"),
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="Your own data instead, as in 'fuzzsmooth data' (default: builtin:reviews)."
        ),
    ] = None,
    model: flag.RunModel = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds, separated by commas (default: 0).")] = None,
    train_size: flag.TrainSize = None,
    test_size: flag.TestSize = None,
    text_column: flag.RunTextColumn = None,
    label_column: flag.RunLabelColumn = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Backdoor a model, defend it, certify it, and write a report: about ten minutes on two cores."""
    from fuzzsmooth.apps.cli.experiment import run, whole_numbers

    run(
        {
            "data": data,
            "model": model,
            "seeds": whole_numbers("--seeds", seeds),
            "train_size": train_size,
            "test_size": _BUILTIN_TEST_SIZE if data is None and test_size is None else test_size,
            "certified_texts": _BUILTIN_CERTIFIED_TEXTS if data is None else None,
            "text_column": text_column,
            "label_column": label_column,
        },
        None,
        out,
        json=json,
        quiet=quiet,
    )
