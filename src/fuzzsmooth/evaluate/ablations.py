"""Which rows of an experiment are ablations, and of which row: each changes one thing in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from fuzzsmooth.evaluate.metrics import Row

_BASES: Final = {
    "certified-nofuzz": "certified",
    "certified-search": "certified",
    "certified-noise": "certified",
    "uniform": "frs-transplant",
    "noise-finetuning-only": "frs-transplant",
    "noise-inference-only": "frs-transplant",
    "noise-none": "frs-transplant",
}
_BUDGETS: Final = ("budget-", "frs-transplant")


def ablates(name: str) -> str | None:
    """The row that an ablation changes one thing in; None for a row of the usual table.

    A name of nobody's knowing counts as a row of the usual table: nothing measured is ever put aside.
    """
    prefix, base = _BUDGETS
    return base if name.startswith(prefix) else _BASES.get(name)


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that are not ablations; all of them where there is no other."""
    return [row for row in rows if ablates(row.defense) is None] or list(rows)


def ablation_groups(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The ablations among some rows, in their order, by the row that they change."""
    groups: dict[str, tuple[str, ...]] = {}
    for name in names:
        base = ablates(name)
        if base is not None:
            groups[base] = (*groups.get(base, ()), name)
    return groups
