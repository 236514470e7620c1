"""``fuzzsmooth list``: what there is to choose from."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag

Kind = Literal[
    "attacks",
    "triggers",
    "defenses",
    "kernels",
    "models",
    "predicates",
    "rows",
    "certificates",
    "rewards",
    "detectors",
]


def registries(
    kind: Annotated[Kind | None, typer.Argument(help="What to list; everything if omitted.")] = None,
    json: flag.Json = False,
) -> None:
    """List attacks, triggers, defenses, kernels, models, predicates, rows, rewards, and detectors.

    With --json every fact of a thing is told, its options with their defaults and ranges too.
    """
    from fuzzsmooth.apps.cli.catalog import FINDERS, line
    from fuzzsmooth.apps.cli.console import answers, write_json

    found = {name: find() for name, find in FINDERS.items() if kind in (None, name)}
    if json:
        write_json(found)
        return
    page = answers()
    for name, entries in found.items():
        page.line(f"{name}:", "bold")
        for entry, facts in entries.items():
            page.line(f"  {entry:<22} {line(facts)}")
