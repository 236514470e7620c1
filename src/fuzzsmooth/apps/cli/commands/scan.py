"""``fuzzsmooth scan``: where are the segments that may be a trigger?"""

from __future__ import annotations

from typing import Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import takes
from fuzzsmooth.apps.cli.sections import ASKED


@takes(*ASKED)
def scan(
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
    """Find the vulnerable segments of texts by the search of a defense, and show them in color.

    The model classifies the text as received; nothing is smoothed.
    """
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
    query = Query("scan")
    with question.opened(query) as engine:
        answering.answer(question, query, engine, _lines)


def _lines(record: dict[str, Any]) -> list[Any]:
    from fuzzsmooth.apps.cli.rendering import heading, marked, segments

    count = len(record["spans"])
    remark = (
        f"{count or 'no'} vulnerable segment{'' if count == 1 else 's'}, {record['evaluations']} evaluations"
    )
    if not record["complete"]:
        remark += ", budget used up"
    return [
        heading(record["row"], record["label_name"], remark),
        marked(record["text"], record["spans"]),
        *segments(record["spans"]),
    ]
