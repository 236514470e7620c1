"""``fuzzsmooth list``: what there is to choose from."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

import typer

from fuzzsmooth.apps.cli import parameters as flag


def registries(
    kind: Annotated[
        Literal["attacks", "triggers", "modes", "rewards", "kernels", "rows", "certificates"] | None,
        typer.Argument(help="What to list; everything if omitted."),
    ] = None,
    json: flag.Json = False,
) -> None:
    """List attacks, triggers, modes, rewards, text-noise kernels, and the rows of both experiments."""
    from fuzzsmooth.apps.cli.console import answers, write_json

    finders = {
        "attacks": _attacks,
        "triggers": _triggers,
        "modes": _modes,
        "rewards": _rewards,
        "kernels": _kernels,
        "rows": _rows,
        "certificates": _certificates,
    }
    found = {name: find() for name, find in finders.items() if kind in (None, name)}
    if json:
        write_json(found)
        return
    page = answers()
    for name, entries in found.items():
        page.line(f"{name}:", "bold")
        for entry, summary in entries.items():
            page.line(f"  {entry:<22} {summary}")


def _attacks() -> dict[str, str]:
    from fuzzsmooth.attacks import ATTACKS

    return {
        name: f"{_summary(kind)} ({kind.paper}); gives a {kind.threat}; needs {kind.needs}; "
        f"triggers: {', '.join(kind.triggers) or 'any'}"
        for name, kind in ATTACKS.all().items()
    }


def _triggers() -> dict[str, str]:
    from fuzzsmooth.attacks import TRIGGERS

    return {name: _summary(kind) for name, kind in TRIGGERS.all().items()}


def _modes() -> dict[str, str]:
    from fuzzsmooth.engine import options

    told = {
        "frs": "scan, randomize what is vulnerable more than the rest, vote; conditional radius",
        "certified": "delete at one rate first, fuzz only what is left, vote; proved radii",
        "windows": "delete in all places in turn, decide in two rounds; proved with certainty",
    }
    return _told(get_args(options.Mode), told)


def _rewards() -> dict[str, str]:
    from typing import get_type_hints

    from fuzzsmooth.search import SearchOptions

    told = {
        "transplant": "the segment also carries the prediction into clean texts of other classes",
        "kl": "editing the segment changes the prediction (Eq. 8 of FRS)",
    }
    return _told(get_args(get_type_hints(SearchOptions)["reward"]), told)


def _kernels() -> dict[str, str]:
    from fuzzsmooth.noise.text import TEXT_KERNELS

    return {name: _summary(kernel) for name, kernel in TEXT_KERNELS.items()}


def _rows() -> dict[str, str]:
    from fuzzsmooth.bench.catalog import BUDGETS
    from fuzzsmooth.bench.rows import defenses
    from fuzzsmooth.engine import SmoothingOptions

    return {name: row.summary for name, row in defenses(SmoothingOptions(), BUDGETS).items()}


def _certificates() -> dict[str, str]:
    from fuzzsmooth.bench.catalog import KINDS

    return dict(KINDS)


def _summary(thing: object) -> str:
    lines = (inspect.getdoc(thing) or "").splitlines() or [""]
    return lines[0].rstrip(".")


def _told(names: tuple[str, ...], told: Mapping[str, str]) -> dict[str, str]:
    return {name: told.get(name, "") for name in names}
