"""``fuzzsmooth bench``: a grid of experiments, how far it is, and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import command_class

bench = typer.Typer(
    no_args_is_help=True,
    help="A grid of experiments: measured cell by cell, stopped and resumed at will, and made into tables.",
)
_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a grid.")]


def run(
    grid: Annotated[
        Path, typer.Argument(metavar="GRID", help="TOML or JSON file of the grid; see the folder grids.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the grid; what is there goes on.")],
    data_root: Annotated[
        Path | None,
        typer.Option(
            "--data-root", envvar="FUZZSMOOTH_DATA", help="Folder that the data sets of the grid are under."
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, max=1024, help="Processes of one thread each; of Ray, the cluster decides."),
    ] = 1,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes here, or tasks of a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Address of a Ray cluster; left out: RAY_ADDRESS, or one of this machine."),
    ] = None,
    quiet: flag.Quiet = False,
) -> None:
    """Measure the cells of a grid that are not measured yet.

    Models are made once and shared. A cell that fails is told and does not stop the others; the exit code is
    then 2, and the same command tries it again.
    """
    from fuzzsmooth.apps.cli.grid import run_bench

    run_bench(grid, out, data_root, workers=workers, engine=engine, address=address, quiet=quiet)


def status(folder: _Folder, json: flag.Json = False) -> None:
    """Show how far a grid is: cells measured, being measured, failed and left, and about how long."""
    from fuzzsmooth.apps.cli.grid import show_status

    show_status(folder, json=json)


def table(
    folder: _Folder,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="1 to 10, radii, guarantees; all that there are (but radii) if omitted."
        ),
    ] = None,
    form: Annotated[
        Literal["markdown", "csv"], typer.Option("--format", help="For people, or every number by itself.")
    ] = "markdown",
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder for one file a table, in place of showing them.")
    ] = None,
) -> None:
    """Build the tables of a grid from its records; no model is needed."""
    from fuzzsmooth.apps.cli.grid import show_tables

    show_tables(folder, names or [], form, out)


for _name, _command in (("run", run), ("status", status), ("table", table)):
    bench.command(_name, cls=command_class(_command))(_command)
