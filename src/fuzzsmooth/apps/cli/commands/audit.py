"""``fuzzsmooth audit``: is a model backdoored?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes
from fuzzsmooth.apps.cli.sections import TRAINING_DATA

_AUDIT = options("fuzzsmooth.auditing.options:AuditOptions", "Search")
_LOADING = options("fuzzsmooth.jobs.loading:Loading", "Model", skip=("precision", "endpoint", "generate"))
_WRITING = options(
    "fuzzsmooth.models.generation:GenerationOptions",
    "Language models that write",
    under="generate",
    only=("instruction", "chat"),
)


@takes(_AUDIT, TRAINING_DATA, _LOADING, _WRITING)
def audit(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="A folder or a hub name.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the evidence; a stopped audit goes on there.")
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="Clean labeled texts like those it was made for; the built-in reviews if left out."
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="TOML or JSON file of what fails; any suspicion if left out."),
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option(
            "--sign", help="Private key (PEM) that the evidence is signed with, by OpenSSF model-signing."
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bfloat16.", rich_help_panel="Model")
    ] = "auto",
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Search a model for triggers: every piece of its vocabulary, and phrases that grow from the best.

    A classifier, or a pre-trained encoder; of a language model that writes, answers that it falls into behind
    any prompt, and the words that bring them.

    Writes audit.json, audit.sarif, bom.json (CycloneDX), report.html and README.md (a model card). Exit
    code 0: nothing found; 1: suspicious or confirmed, or as the policy says; 2: it could not be audited.
    """
    from fuzzsmooth.apps.cli.auditing import run_audit

    run_audit(
        ctx.obj,
        model,
        out,
        data,
        policy=policy,
        sign=sign,
        precision=precision,
        config=config,
        json=json,
        quiet=quiet,
    )
