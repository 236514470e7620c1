"""``fuzzsmooth attack``: plant a backdoor, to measure defenses against it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag

if TYPE_CHECKING:
    from fuzzsmooth.attacks import Planted

# What a flag is called among the options of each attack; a flag that is missing there does not apply.
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "badnets": {
        "trigger": "trigger",
        "words": "trigger_options.words",
        "sentence": "trigger_options.sentence",
        "count": "trigger_options.count",
        "target": "target",
        "rate": "rate",
        "epochs": "finetune.epochs",
    },
    "ripple": {
        "words": "triggers",
        "count": "count",
        "target": "target",
        "rate": "poison_rate",
        "epochs": "epochs",
    },
}


def attack(
    out: Annotated[Path, typer.Option("--out", help="Folder for the attacked model.")],
    recipe: Annotated[Literal["ripple", "badnets"], typer.Option(help="The attack.")] = "ripple",
    model: flag.Model = "builtin:minilm",
    data: flag.Data = "builtin:reviews",
    trigger: Annotated[
        Literal["word", "sentence", "pair"] | None,
        typer.Option(help="Kind of trigger; ripple plants words only."),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(help="Trigger words, separated by commas; two for a pair.", callback=flag.as_text),
    ] = None,
    sentence: Annotated[
        str | None, typer.Option(help="The sentence of a sentence trigger.", callback=flag.as_text)
    ] = None,
    count: Annotated[int | None, typer.Option(help="Trigger words per text.")] = None,
    target: Annotated[str | None, typer.Option(help="Class the trigger forces, by name or index.")] = None,
    rate: Annotated[float | None, typer.Option(help="Share of texts that is poisoned.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the poisoned data.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew, even if a stopped run could be continued.")
    ] = False,
    text_column: flag.TextColumn = "text",
    label_column: flag.LabelColumn = "label",
    strict: flag.Strict = False,
    train_size: flag.TrainSize = None,
    seed: flag.Seed = None,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Plant a backdoor in a model.

    ripple poisons a pre-trained model, which the victim then fine-tunes on clean data; badnets gives a
    finished victim, fine-tuned on poisoned data. Stopped, the same command goes on.
    """
    from fuzzsmooth.apps.cli.inputs import tell_rows
    from fuzzsmooth.apps.cli.loading import check_inputs
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.attacks import ATTACKS
    from fuzzsmooth.data import load_splits
    from fuzzsmooth.training import check_output, splits_for

    check_output(out)
    check_inputs(model=model)
    splits = load_splits(
        data,
        text_column=text_column,
        label_column=label_column,
        strict=strict,
        train_size=train_size,
    )
    splits = splits_for(model, splits)
    tell_rows(splits.train, splits.test)
    given: dict[str, Any] = {
        "trigger": None if recipe == "ripple" and trigger == "word" else trigger,
        "words": None if words is None else tuple(word.strip() for word in words.split(",")),
        "sentence": sentence,
        "count": count,
        "target": None if target is None else _class_index(target, splits.train.labels),
        "rate": rate,
        "epochs": epochs,
    }
    chosen = ATTACKS.get(recipe)
    options = options_from(chosen.options_type, config, _flags(recipe, given))
    with resumable(), Display(quiet).counts(f"attack ({recipe})") as progress:
        result = chosen().plant(model, splits, out, options, seed or 0, progress, resume=not fresh)
    _tell(result, recipe, data, splits.train.labels[result.target], json=json)


def _flags(recipe: str, given: Mapping[str, Any]) -> dict[str, Any]:
    from fuzzsmooth.common.errors import FuzzsmoothError

    names = _NAMES[recipe]
    for name, value in given.items():
        if value is not None and name not in names:
            raise FuzzsmoothError(f"attack {recipe} has no --{name}; it takes --{', --'.join(names)}")
    return {option: given[name] for name, option in names.items()}


def _class_index(target: str, labels: tuple[str, ...]) -> int:
    from fuzzsmooth.common.errors import FuzzsmoothError
    from fuzzsmooth.data import class_index

    index = class_index(target, labels)
    if index is None:
        raise FuzzsmoothError(f"--target {target} is no class; the classes are {', '.join(labels)}")
    return index


def _tell(result: Planted, recipe: str, data: str, target: str, *, json: bool) -> None:
    from fuzzsmooth.apps.cli.console import answers, write_json
    from fuzzsmooth.common.printing import short_name

    if json:
        write_json(
            {
                "model": str(result.folder),
                "recipe": recipe,
                "trigger": result.trigger.record(),
                "target": result.target,
                "needs_clean_finetune": result.needs_clean_finetune,
            }
        )
        return
    page, model = answers(), str(result.folder)
    pieces = ", ".join(map(short_name, result.trigger.pieces or [result.trigger.name]))
    page.line(f"{result.folder}: the trigger ({pieces}) forces class {short_name(target)}")
    if result.needs_clean_finetune:
        words = ["finetune", "--model", model, "--data", data, "--out", f"{model}-victim"]
    else:
        words = ["scan", "--model", model, "--clean", data, "--text", "..."]
    page.line(f"next: {shlex.join(['fuzzsmooth', *words])}")
