"""``fuzzsmooth finetune``: train a classifier, plain or smoothed, and choose its reference texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag

if TYPE_CHECKING:
    from fuzzsmooth.apps.cli.progress import Counts
    from fuzzsmooth.data import Dataset
    from fuzzsmooth.models import HuggingFaceClassifier

_NOISE = "Noise"


def finetune(
    out: Annotated[Path, typer.Option("--out", help="Folder for the trained model.")],
    model: flag.Model = "builtin:minilm",
    data: flag.Data = "builtin:reviews",
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak step size.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Texts per step.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Cut texts after so many tokens.")] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None, typer.Option(help="Arithmetic of the forward pass.")
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(help="Standard deviation of the parameter noise; 0 for none.", rich_help_panel=_NOISE),
    ] = None,
    top_layers: Annotated[
        int | None, typer.Option(help="Layers from the top that get it.", rich_help_panel=_NOISE)
    ] = None,
    rho: Annotated[
        float | None, typer.Option(help="Clip all parameters to this norm.", rich_help_panel=_NOISE)
    ] = None,
    text_noise: Annotated[
        Literal["none", "delete", "mask", "windows"] | None,
        typer.Option(
            help="Train on deleted or masked copies, or on the worst windows.",
            rich_help_panel=_NOISE,
        ),
    ] = None,
    text_rate: Annotated[
        float | None, typer.Option(help="Rate of delete and mask.", rich_help_panel=_NOISE)
    ] = None,
    copies: Annotated[
        int | None, typer.Option(help="Copies per text, for delete and mask.", rich_help_panel=_NOISE)
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Longest window in words, for windows.", rich_help_panel=_NOISE)
    ] = None,
    references: Annotated[
        int, typer.Option(min=0, help="Reference texts per class to save beside the model; 0 for none.")
    ] = 16,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew, even if a stopped run could be continued.")
    ] = False,
    text_column: flag.TextColumn = "text",
    label_column: flag.LabelColumn = "label",
    strict: flag.Strict = False,
    train_size: flag.TrainSize = None,
    test_size: flag.TestSize = None,
    allow_bin: flag.AllowBin = False,
    device: flag.Device = "auto",
    seed: flag.Seed = None,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Fine-tune a classifier, plain or under parameter and text noise.

    Reference texts for the search are saved beside it. The data must be clean: they are what the search
    trusts.
    """
    from fuzzsmooth.apps.cli.inputs import tell_rows
    from fuzzsmooth.apps.cli.loading import check_inputs
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.data import load_splits
    from fuzzsmooth.training import FinetuneOptions, check_output, splits_for

    flags = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "max_length": max_length,
        "precision": precision,
        "sigma": sigma,
        "top_layers": top_layers,
        "rho": rho,
        "text_noise": text_noise,
        "text_rate": text_rate,
        "copies": copies,
        "window": window,
        "seed": seed,
    }
    options = options_from(FinetuneOptions, config, flags)
    check_output(out)
    check_inputs(model=model)
    splits = load_splits(
        data,
        text_column=text_column,
        label_column=label_column,
        strict=strict,
        train_size=train_size,
        test_size=test_size,
    )
    splits = splits_for(model, splits, allow_bin=allow_bin)
    tell_rows(splits.train, splits.test)
    labels = splits.train.labels
    # These import torch: mistakes are told before.
    from fuzzsmooth.models import load_classifier
    from fuzzsmooth.training import finetune as train
    from fuzzsmooth.training import is_main_process, leave_processes

    classifier = load_classifier(
        model,
        num_labels=len(labels),
        labels=labels,
        max_length=options.max_length,
        device=device,
        allow_bin=allow_bin,
        seed=options.seed,
    )
    with resumable(), Display(quiet).counts("finetune") as progress:
        train(classifier, splits.train, options, output=out, progress=progress, resume=not fresh)
    leave_processes()
    if not is_main_process():
        return
    with Display(quiet).counts("references") as progress:
        chosen = _save_references(classifier, splits.train, out, references, progress)
    _tell(classifier, splits.test, out, chosen, json=json)


def _save_references(
    classifier: HuggingFaceClassifier, train: Dataset, out: Path, per_class: int, progress: Counts
) -> int:
    """Save reference texts; a model too poor to have any is said to be so."""
    from fuzzsmooth.apps.cli.console import note
    from fuzzsmooth.apps.cli.seen import references_key, remember
    from fuzzsmooth.common.errors import FuzzsmoothError
    from fuzzsmooth.engine import REFERENCES_FILE
    from fuzzsmooth.search import References

    if per_class == 0:
        return 0
    try:
        chosen = References.select(classifier, train.texts, train.targets, per_class, progress=progress)
    except FuzzsmoothError as error:
        note(f"the model is saved without reference texts: {error}")
        return 0
    chosen.save(out / REFERENCES_FILE)
    remember(references_key(chosen, classifier.fingerprint))
    return len(chosen.texts)


def _tell(
    classifier: HuggingFaceClassifier, test: Dataset, out: Path, references: int, *, json: bool
) -> None:
    from fuzzsmooth.apps.cli.console import answers, write_json

    answered = classifier.probabilities(test.texts).argmax(axis=1)
    correct = sum(int(label) == truth for label, truth in zip(answered, test.targets, strict=True))
    if json:
        write_json(
            {
                "model": str(out),
                "labels": list(classifier.labels),
                "accuracy": correct / len(test),
                "correct": correct,
                "texts": len(test),
                "references": references,
            }
        )
        return
    answers().line(
        f"{out}: {correct} of {len(test)} test texts correct ({correct / len(test):.1%}), "
        f"{references} reference texts"
    )
