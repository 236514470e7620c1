"""``fuzzsmooth scan``: where are the segments that may be a trigger?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import takes
from fuzzsmooth.apps.cli.sections import ASKED

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 64


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
    defended = question.load()
    from fuzzsmooth.defenses.defense import truncated_by

    def answers(chunk: Sequence[str]) -> list[dict[str, Any]]:
        found = defended.defense.scan(chunk)
        cut = truncated_by(defended.model, chunk)
        return [
            {**one.to_json(), "label_name": defended.defense.labels[one.label], "truncated": long}
            for one, long in zip(found, cut, strict=True)
        ]

    answering.answer("scan", question, defended, answers, _lines, chunk=_CHUNK)


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
