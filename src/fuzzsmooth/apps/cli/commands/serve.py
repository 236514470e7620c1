"""``fuzzsmooth serve``: a defended model as a service."""

from __future__ import annotations

from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.commands.certify import Table
from fuzzsmooth.apps.cli.flags import defenses, options, takes
from fuzzsmooth.apps.cli.sections import COLUMNS, MODEL, REFERENCES

_SERVICE = options("fuzzsmooth.apps.service.options:ServiceOptions", "Service")


@takes(_SERVICE, COLUMNS, defenses, REFERENCES, MODEL)
def serve(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="builtin:minilm, a folder, or a hub name.")],
    defense: flag.Defense = None,
    table: Table = None,
    config: flag.Config = None,
    quiet: flag.Quiet = False,
) -> None:
    """Serve a defended model over HTTP: Open Inference Protocol v2, KServe V1, TEI's /predict, and /answer.

    Answers are those of predict and certify. SIGTERM and Ctrl-C stop it when what was asked is answered.
    /openapi.json describes all that can be asked, /metrics what is counted.
    """
    from fuzzsmooth.apps.cli.answering import asked_of, defense_of
    from fuzzsmooth.apps.cli.console import note
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.sections import Columns
    from fuzzsmooth.apps.service.options import ServiceOptions
    from fuzzsmooth.apps.service.running import check_installed
    from fuzzsmooth.apps.service.running import serve as run
    from fuzzsmooth.jobs.loading import Asked, Defended, load_defended

    check_installed()
    given = ctx.obj
    service = given.of(ServiceOptions)
    kind, chosen = defense_of(given, model, defense, config)
    asked = asked_of(given, model, kind, chosen, given.of(Columns), table)

    def load(asked: Asked) -> Defended:
        return load_defended(asked, stages=Display(quiet).counts, tell=note)

    run(asked, service, load, note)
