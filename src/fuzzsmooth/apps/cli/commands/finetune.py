"""``fuzzsmooth finetune``: train a classifier, plain or smoothed, and choose its reference texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes
from fuzzsmooth.apps.cli.sections import MACHINE, TRAINING_DATA, TrainingData

FINETUNE = options("fuzzsmooth.training:FinetuneOptions", "Training", skip=("label",))


@takes(FINETUNE, TRAINING_DATA, MACHINE)
def finetune(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for the trained model.")],
    model: flag.Model = "builtin:minilm",
    data: flag.Data = "builtin:reviews",
    references: Annotated[
        int, typer.Option(min=0, help="Reference texts per class to save beside the model; 0 for none.")
    ] = 16,
    fresh: flag.Fresh = False,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Fine-tune a classifier, plain or under parameter and text noise.

    Reference texts for the search are saved beside it. The data must be clean: they are what the search
    trusts.
    """
    from fuzzsmooth.apps.cli.inputs import say_rows
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.apps.cli.training import save_references, tell_accuracy
    from fuzzsmooth.jobs.loading import Machine, check_inputs
    from fuzzsmooth.training import FinetuneOptions, check_output, splits_for

    chosen = options_from(FinetuneOptions, config, ctx.obj.mapping(FinetuneOptions.__name__))
    machine = ctx.obj.of(Machine)
    check_output(out, model)
    check_inputs(model=model)
    splits = ctx.obj.of(TrainingData).load(data)
    splits = splits_for(model, splits, allow_bin=machine.allow_bin)
    say_rows(splits.train, splits.test)
    from fuzzsmooth.training import finetune as train  # torch: mistakes are told before
    from fuzzsmooth.training import is_main_process, leave_processes

    classifier = machine.trainable(model, splits.train.labels, chosen)
    with resumable(), Display(quiet).counts("finetune") as progress:
        train(classifier, splits.train, chosen, output=out, progress=progress, resume=not fresh)
    leave_processes()
    if is_main_process():
        kept = save_references(classifier, splits, out, references, Display(quiet))
        tell_accuracy(classifier, splits.test, out, kept, json=json)
