"""``fuzzsmooth table``: flip rates of unit types, found ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import command_class, options, takes
from fuzzsmooth.apps.cli.sections import MODEL, READING, REFERENCES

table = typer.Typer(
    no_args_is_help=True,
    help="Flip rates of unit types: which words carry a prediction into clean texts by themselves.",
)
_DEFENSE = "fuzzsmooth.defenses.deletion:DeletionOptions"
_RATES = options(_DEFENSE, "Deletion", only=("rate", "rate_flagged"))


@takes(READING, options(_DEFENSE, "Search", only=("unit", "search")), REFERENCES, MODEL)
def build(
    ctx: typer.Context,
    model: flag.Model,
    out: Annotated[Path, typer.Option("--out", help="File of the table; one of this model is added to.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Texts whose units are tested: a file, or - for stdin.")
    ] = None,
    words: Annotated[Path | None, typer.Option(help="A file with one unit a line instead.")] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Test only so many types, the most frequent ones.")
    ] = None,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Test unit types against the reference texts, and keep their flip rates in a file.

    Flagged types get a higher deletion rate in ``certify --table``. A stopped run goes on where it was.
    """
    from fuzzsmooth.apps.cli.flip_rates import build_table

    build_table(ctx.obj, model, out, data=data, words=words, most=most, config=config, json=json, quiet=quiet)


@takes(_RATES)
def show(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A table.")],
    top: Annotated[int, typer.Option(min=0, help="Types to show, the highest flip rates first.")] = 20,
    json: flag.Json = False,
) -> None:
    """Show a table: which types are flagged, at which rate they are deleted, and what inserting one costs."""
    from fuzzsmooth.apps.cli.flip_rates import show_table
    from fuzzsmooth.defenses.deletion import DeletionOptions

    show_table(file, ctx.obj.of(DeletionOptions), top, json=json)


for _name, _command in (("build", build), ("show", show)):
    table.command(_name, cls=command_class(_command))(_command)
