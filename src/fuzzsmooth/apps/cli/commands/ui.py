"""``fuzzsmooth ui``: a defended model as a page in the browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.commands.certify import Table
from fuzzsmooth.apps.cli.flags import defenses, options, takes
from fuzzsmooth.apps.cli.sections import COLUMNS, MODEL, REFERENCES

_PAGE = options("fuzzsmooth.apps.page.options:PageOptions", "Page")


@takes(_PAGE, COLUMNS, defenses, REFERENCES, MODEL)
def ui(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="builtin:minilm, a folder, or a hub name.")],
    defense: flag.Defense = None,
    table: Table = None,
    config: flag.Config = None,
    quiet: flag.Quiet = False,
) -> None:
    """Show a page in the browser: paste a text or a file, see the defended and the undefended answer.

    Flagged words are colored, votes fill up as they are counted, certificates stand in words, and a trigger
    can be inserted to see the undefended model fail. The report of --audit is shown as well. Works offline;
    Ctrl-C ends it.
    """
    from fuzzsmooth.apps.cli.answering import asked_of, defense_of
    from fuzzsmooth.apps.cli.console import note
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.sections import Columns
    from fuzzsmooth.apps.page.options import PageOptions
    from fuzzsmooth.apps.page.running import check_installed, show
    from fuzzsmooth.jobs.audited import is_searched
    from fuzzsmooth.jobs.loading import Asked, Defended, load_defended

    check_installed()
    given = ctx.obj
    page = given.of(PageOptions)
    kind, chosen = defense_of(given, model, defense, config)
    asked = asked_of(given, model, kind, chosen, given.of(Columns), table)
    audit = asked.audit  # its report is shown in any case
    if not is_searched(chosen):
        asked = replace(asked, audit=None)

    def load(asked: Asked) -> Defended:
        return load_defended(asked, stages=Display(quiet).counts, tell=note)

    show(asked, page, load, note, audit=audit)
