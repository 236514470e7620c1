"""``fuzzsmooth generate``: answers of a language model, smoothed over deleted views of each text."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes
from fuzzsmooth.apps.cli.sections import MACHINE, READING

_FLAGGING = options("fuzzsmooth.jobs.answer_spans:AnswerSpanOptions", "Flagging")
_SMOOTHING = options("fuzzsmooth.jobs.generating:SmoothedGenerationOptions", "Generation")


@takes(READING, _SMOOTHING, _FLAGGING, MACHINE)
def generate(
    ctx: typer.Context,
    source: flag.Input = None,
    text: flag.Text = None,
    model: Annotated[
        str, typer.Option("--model", help="A causal language model: builtin:smollm2, a folder, a hub name.")
    ] = "builtin:smollm2",
    clean_prompts: Annotated[
        str | None,
        typer.Option(
            help="File of clean prompts, by which words that force an answer are found, and mostly deleted."
        ),
    ] = None,
    output: flag.Output = None,
    format: flag.Format = None,  # noqa: A002
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Answer texts by a language model: views with words deleted, and the medoid of the largest cluster.

    The share of the views is told with it. It is empirical; what can be certified is a predicate of the
    answer (fuzzsmooth certify --predicate).
    """
    from fuzzsmooth.apps.cli.console import note
    from fuzzsmooth.apps.cli.flagging import answering
    from fuzzsmooth.apps.cli.inputs import gather
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.sections import Reading
    from fuzzsmooth.apps.cli.showing import Output, show_all
    from fuzzsmooth.jobs.answering import AnswerFile, Truncated, answer_all
    from fuzzsmooth.jobs.generating import SmoothedGeneration, SmoothedGenerationOptions
    from fuzzsmooth.jobs.loading import Machine, check_inputs

    smoothing = ctx.obj.of(SmoothedGenerationOptions)
    where = Output.of(output, format, json=json, source=source)
    check_inputs(model=model)
    texts = gather(source, text, ctx.obj.of(Reading))
    writer = SmoothedGeneration.load(model, smoothing, ctx.obj.of(Machine))
    display, truncated = Display(quiet), Truncated()
    answer, settings = answering(writer, clean_prompts, ctx.obj)
    file = None if where.kept is None else AnswerFile(where.kept, settings)
    with resumable(file is not None):
        records = answer_all(
            texts,
            answer,
            title="generate",
            chunk=1,
            file=file,
            stages=display.counts,
            tell=note,
            hold=display.shares_terminal,
        )
        show_all(records, _lines, where, also=[truncated.add])
    if truncated.sentence():
        note(truncated.sentence())


def _lines(record: dict[str, Any]) -> list[Any]:
    from fuzzsmooth.apps.cli.rendering import heading, segments
    from fuzzsmooth.common.printing import printable

    remark = f"{record['votes']} of {record['copies']} views alike"
    flagged = segments(record.get("spans", []))
    return [
        heading(record["row"], remark, "empirical, no certificate"),
        f"   {printable(record['answer'])}",
        *flagged,
    ]
