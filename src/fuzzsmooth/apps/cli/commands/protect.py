"""``fuzzsmooth protect``: from a user's own model and data to one folder that every command takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import defenses, options, takes
from fuzzsmooth.apps.cli.sections import MACHINE, TRAINING_DATA, TrainingData

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRAINING = options("fuzzsmooth.training:FinetuneOptions", "Fine-tuning", under="finetune", skip=("label",))
_PROTECT = options("fuzzsmooth.jobs.order:ProtectOptions", "Measurement")


@takes(_PROTECT, TRAINING_DATA, defenses, _TRAINING, MACHINE)
def protect(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="builtin:minilm, a folder, or a hub name.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the protected model.")],
    data: Annotated[
        str, typer.Option("--data", help="Clean labeled data: a file, a folder, or a Hugging Face data set.")
    ],
    defense: Annotated[str, typer.Option(help="A name of 'fuzzsmooth list defenses'.")] = "frs",
    fresh: flag.Fresh = False,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Protect a model: fine-tune it for a defense, choose references, measure both, save one folder.

    Clean accuracy with and without the defense, and false flags, are measured on held-out texts. Every
    command takes the folder as it is, defense and options included. A stopped run goes on.
    """
    from fuzzsmooth.apps.cli.answering import defense_of
    from fuzzsmooth.apps.cli.console import note, write_json
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.jobs.loading import Machine
    from fuzzsmooth.jobs.order import Order, ProtectOptions
    from fuzzsmooth.jobs.protect import carry_out

    given = ctx.obj
    kind, chosen = defense_of(given, model, defense, config)
    order = Order(
        model,
        data,
        out,
        kind,
        chosen,
        given.of(ProtectOptions),
        given.mapping("FinetuneOptions").get("finetune", {}),
        given.of(Machine),
        given.of(TrainingData).to_mapping(),
        fresh,
    )
    with resumable():
        report = carry_out(order, stages=Display(quiet).counts, tell=note)
    if json:
        write_json(report)
    else:
        _show(report, out)


def _show(report: Mapping[str, Any], out: Path) -> None:
    from fuzzsmooth.apps.cli.console import answers

    page = answers()
    page.line(f"{out}: protected by defense '{report['defense']}'", "bold")
    told = {
        "undefended": "clean accuracy, undefended",
        "defended": "clean accuracy, defended",
        "no_answer": "clean texts without an answer",
        "false_flags": "clean texts with a flagged span",
    }
    for name, share in report["measured"].items():
        low, high = (f"{100 * share[side]:.1f}" for side in ("low", "high"))
        page.line(
            f"  {told[name]:<32} {100 * share['share']:5.1f} %  (95 %: {low} to {high}; "
            f"{share['count']} of {share['texts']})"
        )
    page.line(f"next: fuzzsmooth certify --model {out} INPUT")
