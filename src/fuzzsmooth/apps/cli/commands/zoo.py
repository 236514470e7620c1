"""``fuzzsmooth zoo``: clean and backdoored models, and how well detectors tell them apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import command_class

zoo = typer.Typer(
    no_args_is_help=True,
    help="Clean and backdoored models from a spec, and how well detectors tell them apart.",
)
_Spec = Annotated[
    Path, typer.Argument(metavar="SPEC", help="TOML or JSON file of the zoo; see grids/zoo.toml.")
]
_Out = Annotated[Path, typer.Option("--out", help="Folder of the zoo; what is there goes on.")]
_Root = Annotated[
    Path | None,
    typer.Option("--data-root", envvar="FUZZSMOOTH_DATA", help="Folder that the data sets are under."),
]
_Workers = Annotated[int, typer.Option(min=1, max=1024, help="Processes of one thread each.")]


def build(
    spec: _Spec, out: _Out, data_root: _Root = None, workers: _Workers = 1, quiet: flag.Quiet = False
) -> None:
    """Make the models of a zoo that are not there yet, and measure their accuracy and attack success.

    Models are named by a hash of what decides them. A stopped build goes on; one that fails does not stop the
    others.
    """
    from fuzzsmooth.apps.cli.zoo import build_zoo

    build_zoo(spec, out, data_root, workers=workers, quiet=quiet)


def audit(
    spec: _Spec,
    out: _Out,
    detectors: Annotated[
        str, typer.Option(help="Names of 'fuzzsmooth list detectors', in order, separated by commas.")
    ] = "exhaustive,fast,dbs,dbs-twin,babi,uat,clibe,weight-statistics,random-words",
    data_root: _Root = None,
    workers: _Workers = 1,
    quiet: flag.Quiet = False,
) -> None:
    """Run detectors on every model of a zoo that is built.

    The first detector goes over all models, then the next. What is done is kept; a stopped run goes on.
    """
    from fuzzsmooth.apps.cli.zoo import run_audits

    names = [name.strip() for name in detectors.split(",") if name.strip()]
    run_audits(spec, out, names, data_root, workers=workers, quiet=quiet)


def table(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a zoo.")],
    form: Annotated[
        Literal["markdown", "csv"], typer.Option("--format", help="For people, or every number by itself.")
    ] = "markdown",
    out: Annotated[Path | None, typer.Option("--out", help="A file, in place of showing it.")] = None,
) -> None:
    """Build the table of a zoo from its records; no model is needed."""
    from fuzzsmooth.apps.cli.zoo import show_table

    show_table(folder, form, out)


for _name, _command in (("build", build), ("audit", audit), ("table", table)):
    zoo.command(_name, cls=command_class(_command))(_command)
