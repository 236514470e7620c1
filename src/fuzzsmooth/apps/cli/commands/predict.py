"""``fuzzsmooth predict``: answers of a defended model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import takes
from fuzzsmooth.apps.cli.sections import ASKED

if TYPE_CHECKING:
    from collections.abc import Sequence


@takes(*ASKED)
def predict(
    ctx: typer.Context,
    model: flag.Model,
    source: flag.Input = None,
    text: flag.Text = None,
    defense: flag.Defense = None,
    config: flag.Config = None,
    output: flag.Output = None,
    format: flag.Format = None,  # noqa: A002
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Classify texts through a defense, by default the vote of randomized copies; without a certificate."""
    from fuzzsmooth.apps.cli import answering
    from fuzzsmooth.jobs.query import Query

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
    )
    query = Query("predict")
    with question.opened(query) as engine:
        labels = engine.facts.labels
        answering.answer(question, query, engine, lambda record: _lines(record, labels))


def _lines(record: dict[str, Any], labels: Sequence[str]) -> list[Any]:
    from fuzzsmooth.apps.cli.rendering import heading, marked, no_answer, segments, votes
    from fuzzsmooth.certify import ceiled

    remark = votes(record, labels)
    if 0 < record["error"] < 1:
        remark += f"; error of the vote at most {ceiled(record['error'], 2)}"
    return [
        heading(record["row"], record["label_name"] or no_answer(record["status"]), remark),
        marked(record["text"], record["spans"]),
        *segments(record["spans"]),
    ]
