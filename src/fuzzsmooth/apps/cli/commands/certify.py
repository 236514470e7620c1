"""``fuzzsmooth certify``: answers with a guarantee."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import takes
from fuzzsmooth.apps.cli.sections import ASKED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuzzsmooth.apps.cli.answering import Question

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
    from fuzzsmooth.apps.cli.certificates import check_threat

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

        show_estimate(question.load(), question.texts, json=json)
        return
    _certify(question, threat, together=source is not None)


def _certify(question: Question, threat: str, *, together: bool) -> None:
    from fuzzsmooth.apps.cli import answering
    from fuzzsmooth.apps.cli.certificates import chosen, lines, show_statements
    from fuzzsmooth.apps.cli.console import note
    from fuzzsmooth.common.locking import exclusive
    from fuzzsmooth.jobs.statements import Statements

    table = question.asked.table
    with exclusive(table) if question.asked.fill and table is not None else nullcontext():
        defended = question.load()
        inner = defended.defense

        def answers(chunk: Sequence[str]) -> list[dict[str, Any]]:
            found = [chosen(one.to_json(), threat) for one in inner.certify(chunk)]
            if defended.rates is not None:
                defended.rates.table.flush()
            return found

        # An empirical defense has no certificates that could mean something together.
        certified = together and inner.guarantee != "empirical"
        statements = Statements(question.texts, inner.labels) if certified else None
        answering.answer(
            "certify",
            question,
            defended,
            answers,
            lines,
            chunk=inner.together(certify=True),
            settings={"threat": threat},
            also=[] if statements is None else [statements.add],
        )
    if inner.guarantee == "empirical":
        note(f"defense '{inner.name}' is empirical: its answers come without certificates")
    elif statements is not None:
        show_statements(statements, json=question.output.json)
