"""``fuzzsmooth certify``: answers with a guarantee."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import takes
from fuzzsmooth.apps.cli.sections import ASKED

Threat = Annotated[
    str,
    typer.Option(
        help="Which threat is certified, such as edit, insert, contiguous_insert or weights; the answer is "
        "the one certified against the first."
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        help="Flip rates of unit types (fuzzsmooth table build): flagged types are deleted more often."
    ),
]
Fill = Annotated[bool, typer.Option("--fill", help="Test types that the table lacks, and add them.")]
Estimating = Annotated[
    bool,
    typer.Option("--estimate", help="Tell passes, time and memory from a pilot on a few texts, and stop."),
]


@takes(*ASKED)
def certify(
    ctx: typer.Context,
    model: flag.Model,
    source: flag.Input = None,
    text: flag.Text = None,
    defense: flag.Defense = None,
    threat: Threat = "all",
    table: Table = None,
    fill: Fill = False,
    estimate: Estimating = False,
    config: flag.Config = None,
    output: flag.Output = None,
    format: flag.Format = None,  # noqa: A002
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Classify texts with a certificate each, or ABSTAIN.

    After the answers to an INPUT it says what they mean together, for the whole of it.
    """
    from fuzzsmooth.apps.cli import answering
    from fuzzsmooth.apps.cli.certificates import certify_all, check_threat

    question = answering.ask(
        ctx.obj,
        model,
        source=source,
        text=text,
        defense=defense,
        config=config,
        output=output,
        format=format,
        json=json,
        quiet=quiet,
        table=table,
        fill=fill,
        check=lambda kind, options: check_threat(threat, kind, options, table=table is not None),
    )
    if estimate:
        from fuzzsmooth.apps.cli.estimating import show_estimate
        from fuzzsmooth.common.options import require

        require(question.engine.engine == "local", "--estimate tries a pilot here; leave out --engine ray")
        show_estimate(question.load(), question.texts, json=json)
        return
    certify_all(question, threat, together=source is not None)
