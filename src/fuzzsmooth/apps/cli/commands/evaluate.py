"""``fuzzsmooth evaluate``: attack, defend, measure, report."""

from __future__ import annotations

from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import DEFENSE, defenses, options, takes

EXPERIMENT = options("fuzzsmooth.bench.options:ExperimentOptions", "Experiment")


@takes(EXPERIMENT, defenses)
def evaluate(
    ctx: typer.Context,
    out: flag.RunFolder,
    trigger: Annotated[str | None, typer.Option(help="A kind of 'fuzzsmooth list triggers'.")] = None,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Measure defenses against an attack, with records, summary and report in one folder.

    Flags of defenses are shared by the rows that have them. Everything may be set in a file (--config); rows
    and seeds may be added to a finished run.
    """
    from fuzzsmooth.apps.cli.experiment import run

    flags = ctx.obj.mapping("ExperimentOptions")
    if trigger is not None:
        flags["attack_options"] = {"trigger": trigger}
    shared = ctx.obj.mapping(DEFENSE)
    run(flags | ({"options": shared} if shared else {}), config, out, json=json, quiet=quiet)
