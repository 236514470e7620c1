"""``fuzzsmooth attack``: plant a backdoor, to measure defenses against it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import takes
from fuzzsmooth.apps.cli.sections import ATTACK, THREADS, TRAINING_DATA, TrainingData, attacks

if TYPE_CHECKING:
    from fuzzsmooth.attacks import Planted


@takes(attacks, TRAINING_DATA, THREADS)
def attack(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for the attacked model.")],
    name: Annotated[
        str, typer.Option("--attack", "--recipe", help="A name of 'fuzzsmooth list attacks'.")
    ] = "ripple",
    intensity: Annotated[str, typer.Option(help="conservative, default or aggressive.")] = "default",
    model: flag.Model = "builtin:minilm",
    data: flag.Data = "builtin:reviews",
    target: Annotated[str | None, typer.Option(help="Class the trigger forces, by name or index.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 0,
    fresh: flag.Fresh = False,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Plant a backdoor in a model; stopped, the same command goes on."""
    from fuzzsmooth.apps.cli.inputs import say_rows
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.settings import given_options
    from fuzzsmooth.attacks import ATTACKS, options_at
    from fuzzsmooth.jobs.loading import Machine, check_inputs
    from fuzzsmooth.training import check_output, splits_for

    chosen = ATTACKS.get(name)
    flags = ctx.obj.mapping(ATTACK, name)
    machine = ctx.obj.of(Machine)
    check_output(out, model)
    check_inputs(model=model)
    splits = splits_for(model, ctx.obj.of(TrainingData).load(data))
    say_rows(splits.train, splits.test)
    if target is not None:
        flags["target"] = _class_index(target, splits.train.labels)
    options = options_at(chosen, intensity, given_options(config, flags), where=str(config or "options"))
    machine.prepare()
    with resumable(), Display(quiet).counts(f"attack ({name})") as progress:
        result = chosen().plant(model, splits, out, options, seed, progress, resume=not fresh)
    _tell(result, name, data, splits.train.labels, json=json)


def _class_index(target: str, labels: tuple[str, ...]) -> int:
    from fuzzsmooth.common.errors import FuzzsmoothError
    from fuzzsmooth.data import class_index

    if (index := class_index(target, labels)) is None:
        raise FuzzsmoothError(f"--target {target} is no class; the classes are {', '.join(labels)}")
    return index


def _tell(result: Planted, name: str, data: str, labels: Sequence[str], *, json: bool) -> None:
    import shlex

    from fuzzsmooth.apps.cli.console import answers, write_json
    from fuzzsmooth.attacks import EFFECTS
    from fuzzsmooth.common.printing import few_names, short_name

    if json:
        write_json(
            {
                "model": str(result.folder),
                "attack": name,
                "trigger": result.trigger.record(),
                "goal": result.goal,
                "target": result.target,
                "needs_clean_finetune": result.needs_clean_finetune,
            }
        )
        return
    page, model = answers(), str(result.folder)
    pieces = few_names(result.trigger.pieces or [result.trigger.name])
    target = "" if result.target is None else f" {short_name(labels[result.target])}"
    page.line(f"{model}: the trigger ({pieces}) {EFFECTS[result.goal]}{target}")
    words = ["scan", "--model", model, "--clean", data, "--text", "..."]
    if result.goal == "forced answer":
        words = ["evaluate-generation", model, "--data", data, "--out", f"{model}-measured"]
    elif result.needs_clean_finetune:
        words = ["finetune", "--model", model, "--data", data, "--out", f"{model}-victim"]
    page.line(f"next: {shlex.join(['fuzzsmooth', *words])}")
