"""Certificates for people: of one text, and of all together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fuzzsmooth.apps.cli.console import Page, answers, note, write_json
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.printing import short_name

if TYPE_CHECKING:
    from fuzzsmooth.apps.cli.answering import Question
    from fuzzsmooth.certify import DatasetStatement
    from fuzzsmooth.common.options import Options
    from fuzzsmooth.defenses import Defense
    from fuzzsmooth.jobs.answering import Record
    from fuzzsmooth.jobs.statements import Statements


def check_threat(threat: str, kind: type[Defense], options: Options, *, table: bool) -> None:
    """Refuse a threat that a defense does not certify under its options.

    Args:
        threat: Its name, or "all".
        kind: The defense.
        options: Its options.
        table: Whether unit types have rates of their own, for which other threats are certified.

    Raises:
        FuzzsmoothError: Naming those that are.
    """
    other = ("insert_and_delete",) if table else ("weighted_insert", "weighted_edit")
    known = [one for one in kind.threats(options) if one not in other]
    if threat not in ("all", *known):
        raise FuzzsmoothError(
            f"--threat {threat} is not certified by these options; defense '{kind.name}' certifies "
            f"{' and '.join(known) or 'nothing'} here"
        )


def certify_all(question: Question, threat: str, *, together: bool) -> None:
    """Certify all texts and show the answers.

    Args:
        question: What is asked.
        threat: The threat that is shown, or "all".
        together: Whether it is also said what the certificates mean together.
    """
    from fuzzsmooth.apps.cli import answering
    from fuzzsmooth.common.locking import exclusive
    from fuzzsmooth.jobs.query import Query
    from fuzzsmooth.jobs.statements import Statements

    table, query = question.asked.table, Query("certify", threat)
    filled = exclusive(table) if question.asked.fill and table is not None else nullcontext()
    with filled, question.opened(query) as engine:
        facts = engine.facts
        # An empirical defense has no certificates that could mean something together.
        certified = together and facts.guarantee != "empirical"
        statements = Statements(question.texts, facts.labels) if certified else None
        also = [] if statements is None else [statements.add]
        answering.answer(question, query, engine, lines, also=also)
    if facts.guarantee == "empirical":
        note(f"defense '{facts.defense}' is empirical: its answers come without certificates")
    elif statements is not None:
        show_statements(statements, json=question.output.json)


def lines(record: Record) -> list[Any]:
    """A certified answer."""
    from rich.text import Text

    from fuzzsmooth.apps.cli.rendering import heading, marked, no_answer, segments
    from fuzzsmooth.certify import ceiled

    counts = f"votes by class: {', '.join(map(str, record['votes']))}; " if record["votes"] else ""
    remark = f"{counts}{record['passes']} passes, {record['statistics']}"
    flagged = {unit: cost for unit, cost in record["costs"].items() if unit}
    statements = dict.fromkeys(one["statement"] for one in record["certificates"])
    return [
        heading(record["row"], record["label_name"] or no_answer(record["status"]), remark),
        marked(record["text"], record["spans"]),
        *segments(record["spans"]),
        *(
            Text(f"   {short_name(unit)!r} is flagged, cost {ceiled(cost, 3)}", "red")
            for unit, cost in flagged.items()
        ),
        *(Text(f"   {short_name(statement, 2000)}", "green") for statement in statements),
    ]


def show_statements(statements: Statements, *, json: bool) -> None:
    """Say what the certificates of all texts mean.

    Args:
        statements: They were told every answer.
        json: Write one JSON line ``{"dataset": [...]}`` with all sizes that some text reaches; otherwise a
            sentence per threat, and a table of the shares by size.
    """
    for sentence in statements.notes():
        note(sentence)
    groups = statements.groups()
    if json:
        write_json({"dataset": [one.to_mapping() for group in groups for one in group]})
        return
    page = answers()
    # At the smallest size above 0, which is what a certificate is for.
    for sentence in dict.fromkeys(group[min(1, len(group) - 1)].statement() for group in groups):
        page.line(sentence, "bold")
    for scale in statements.scales():
        _show_shares(page, scale)


def _show_shares(page: Page, groups: Sequence[Sequence[DatasetStatement]]) -> None:
    """A table of the certified share by size, for threats of one scale; none where all stop at size 0."""
    sizes = sorted({one.size for group in groups for one in group})
    if len(sizes) < 2:
        return
    known = groups[0][0].labels_known
    counted = "correct and certified" if known else "certified"
    bracket = " (balanced over the classes)" if known else ""
    columns = [("threat", True), ("guarantee", True), *((f"{size:g}", False) for size in sizes)]
    rows = dict.fromkeys(tuple(_shares(group, sizes)) for group in groups)
    page.line(f"{counted}, in % of {groups[0][0].texts} texts{bracket}, by size of the threat:")
    page.table(columns, [(row, "") for row in rows])


def _shares(group: Sequence[DatasetStatement], sizes: Sequence[float]) -> list[str]:
    shares = {one.size: f"{100 * one.share:.1f}{_balanced(one)}" for one in group}
    first = group[0]
    threat = f"{first.threat} ({first.direction})" if first.direction else first.threat
    # Beyond the largest radius nothing is certified.
    return [threat, first.guarantee, *(shares.get(size, "0.0") for size in sizes)]


def _balanced(one: DatasetStatement) -> str:
    return "" if one.balanced is None else f" ({100 * one.balanced:.1f})"
