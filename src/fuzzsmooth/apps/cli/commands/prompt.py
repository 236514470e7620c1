"""``fuzzsmooth prompt``: a causal language model that is asked, as a classifier that every command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes
from fuzzsmooth.apps.cli.sections import TRAINING_DATA, TrainingData

_LOADING = options("fuzzsmooth.jobs.loading:Loading", "Model", skip=("endpoint",))


@takes(_LOADING, TRAINING_DATA)
def prompt(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for the prompted classifier.")],
    model: Annotated[
        str, typer.Option("--model", help="A causal language model: builtin:smollm2, a folder, a hub name.")
    ] = "builtin:smollm2",
    data: Annotated[
        str | None, typer.Option("--data", help="Labeled data, to measure the accuracy on its test part.")
    ] = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Make a classifier of a language model by a template and a word for each class; nothing is trained.

    Every command takes the folder; a text is what stands in the slot of the template. Most commands take
    --template and --label-words themselves, too.
    """
    del quiet
    from fuzzsmooth.apps.cli.console import answers, write_json
    from fuzzsmooth.apps.cli.inputs import say_rows
    from fuzzsmooth.apps.cli.training import tell_accuracy
    from fuzzsmooth.common.options import require
    from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
    from fuzzsmooth.data import align_splits
    from fuzzsmooth.jobs.loading import Loading, check_inputs
    from fuzzsmooth.models.prompt import KEY
    from fuzzsmooth.training import check_output

    loading = ctx.obj.of(Loading)
    require(
        loading.prompt.given,
        "a prompt needs --template and --label-words, as in --template 'Review: {text} It was' "
        "--label-words negative=bad,positive=good",
    )
    check_output(out, model)
    configuration = out / "config.json"
    require(
        not configuration.is_file() or KEY in read_json_object(configuration, limit=CONFIGURATION_BYTES),
        f"{out} holds a model of another kind, which a prompt would replace; choose another folder",
    )
    check_inputs(model=model, data=data)
    splits = None if data is None else ctx.obj.of(TrainingData).load(data)
    if splits is not None:
        splits = align_splits(splits, loading.prompt.labels, model)
        say_rows(splits.train, splits.test)
    classifier = loading.load(model)  # torch: mistakes are told before
    classifier.save(out)
    if splits is not None:
        tell_accuracy(classifier, splits.test, out, 0, json=json)
    elif json:
        write_json({"model": str(out), "labels": list(classifier.labels)})
    else:
        answers().line(f"{out}: asks {model} for {', '.join(classifier.labels)}")
