"""What scan, predict and certify share: from flags to a defended model, its answers, and where they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fuzzsmooth.apps.cli.console import note
from fuzzsmooth.apps.cli.flags import DEFENSE, GONE, Given
from fuzzsmooth.apps.cli.inputs import gather
from fuzzsmooth.apps.cli.problems import resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.remote import agreed
from fuzzsmooth.apps.cli.sections import Columns, Reading, ReferenceTexts
from fuzzsmooth.apps.cli.settings import read_config
from fuzzsmooth.apps.cli.showing import Output, show_all
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import overruled, require

if TYPE_CHECKING:
    from fuzzsmooth.common.options import Options
    from fuzzsmooth.data import TextInput
    from fuzzsmooth.defenses import Defense
    from fuzzsmooth.jobs.answering import Record
    from fuzzsmooth.jobs.engines import Engine, EngineOptions
    from fuzzsmooth.jobs.loading import Asked, Defended
    from fuzzsmooth.jobs.query import Query


@dataclass(frozen=True)
class Question:
    """What a command asks, checked as far as that goes without the model.

    Attributes:
        asked: The model, its defense, and how to load them.
        texts: The texts.
        output: Where answers go.
        engine: Where it is answered.
        quiet: Whether to show no progress.
    """

    asked: Asked
    texts: TextInput
    output: Output
    engine: EngineOptions
    quiet: bool

    def opened(self, query: Query) -> AbstractContextManager[Engine]:
        """What answers a query about these texts, telling what is to be known of references and workers."""
        from fuzzsmooth.jobs.engines import opened

        return opened(self.engine, self.asked, query, stages=Display(self.quiet).counts, tell=note)

    def load(self) -> Defended:
        """Load the defended model, telling what is to be known of its references."""
        from fuzzsmooth.jobs.loading import load_defended

        return load_defended(self.asked, stages=Display(self.quiet).counts, tell=note)


def ask(
    given: Given,
    model: str,
    *,
    source: str | None,
    text: Sequence[str] | None,
    defense: str | None,
    config: Path | None,
    output: str | None,
    format: Literal["jsonl", "csv", "parquet"] | None,  # noqa: A002  # as the flag
    json: bool,
    quiet: bool,
    table: Path | None = None,
    fill: bool = False,
    check: Callable[[type[Defense], Options], None] = lambda _kind, _options: None,
) -> Question:
    """Understand a command.

    Args:
        given: The derived flags.
        model: The model's name.
        source: The input, or None; the others are as the command's parameters, too.
        text: Texts of the command line.
        defense: Name of the defense.
        config: File of options.
        output: File of the answers, or its URL.
        format: What it is; by its name if None.
        json: Whether answers are shown as JSON.
        quiet: Whether to show no progress.
        table: File of flip rates.
        fill: Whether it is added to.
        check: Refuses a defense with its options.

    Raises:
        FuzzsmoothError: If anything is missing or wrong.
    """
    from fuzzsmooth.jobs.engines import EngineOptions

    where = Output.of(output, format, json=json, source=source)
    kind, chosen = defense_of(given, model, defense, config)
    check(kind, chosen)
    reading = given.of(Reading)
    asked = asked_of(given, model, kind, chosen, reading, table, fill)
    return Question(asked, gather(source, text, reading), where, given.of(EngineOptions), quiet)


def asked_of(
    given: Given,
    model: str,
    kind: type[Defense],
    options: Options,
    columns: Columns,
    table: Path | None,
    fill: bool = False,
) -> Asked:
    """The model and its defense, with the references, the audit and the loading of the derived flags."""
    from fuzzsmooth.jobs.loading import Asked, Loading

    clean = given.of(ReferenceTexts)
    references = None if clean.references is None else Path(clean.references)
    audit = None if clean.audit is None else Path(clean.audit)
    loading, data = given.of(Loading), clean.data(columns)
    return Asked(model, kind, options, loading, references, data, table, fill, audit)


def defense_of(
    given: Given, model: str, defense: str | None, config: Path | None
) -> tuple[type[Defense], Options]:
    """The defense that is asked for, with its options from a file and from the flags that overrule it.

    Raises:
        FuzzsmoothError: If there is no such model or defense, it lacks an option, or a value is bad.
    """
    from fuzzsmooth.jobs.loading import choose_defense

    file = {} if config is None else read_config(config)
    if given.given(GONE) or GONE in file:
        raise FuzzsmoothError(
            "there are no modes any more; did you mean --defense (mode 'certified' is defense 'deletion')?"
        )
    named = file.pop(DEFENSE, None)
    require(
        named is None or isinstance(named, str),
        f'{config}: {DEFENSE} must be the name of a defense, as in {DEFENSE} = "deletion"',
    )
    choice = choose_defense(model, defense or named)
    flags = given.mapping(DEFENSE, choice.kind.name)
    where = "" if config is None else str(config)
    return choice.kind, choice.options(overruled(file, flags, where), where=where)


def answer(
    question: Question,
    query: Query,
    engine: Engine,
    show: Callable[[Record], list[Any]],
    *,
    also: Sequence[Callable[[Record], None]] = (),
) -> None:
    """Answer all texts and show the answers.

    Args:
        question: The texts, and where the answers go.
        query: What is asked about them.
        engine: What answers.
        show: An answer's lines for people.
        also: What else is told each answer.
    """
    from fuzzsmooth.jobs.answering import AnswerFile, Truncated, answer_all

    display, truncated = Display(question.quiet), Truncated()
    kept = question.output.kept
    settings = {**engine.facts.settings, "versions": list(engine.facts.versions)}
    file = None if kept is None else AnswerFile(kept, settings)
    with resumable(file is not None), agreed(engine.defended, query.kind, question.texts.texts):
        records = answer_all(
            question.texts,
            engine.answer,
            title=query.kind,
            chunk=engine.facts.chunk,
            file=file,
            stages=display.counts,
            tell=note,
            hold=display.shares_terminal,
            through=engine.through,
        )
        show_all(records, show, question.output, also=[truncated.add, *also])
    if truncated.sentence():
        note(truncated.sentence())
