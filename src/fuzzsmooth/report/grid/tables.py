"""The ten tables of a grid, the radii and the guarantees: which there are, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from fuzzsmooth.bench.grid.measured import Reading, read_measured
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import did_you_mean
from fuzzsmooth.report.grid.accuracy import accuracy_sheet, clean_sheet, cost_sheet
from fuzzsmooth.report.grid.certified import guarantee_sheet, radius_sheets, radius_steps
from fuzzsmooth.report.grid.sheet import Sheet

Maker = Callable[[Reading, str], Sequence[Sheet]]

TITLES: Final[Mapping[str, str]] = {
    "1": "clean accuracy, accuracy under attack, attack success",
    "2": "certified radii",
    "3": "ablations",
    "4": "search budget",
    "5": "sensitivity to the options",
    "6": "global triggers and triggers that change the meaning",
    "7": "adaptive attacks",
    "8": "out of domain: trained on one data set, tested on another",
    "9": "cost",
    "10": "on a clean model: what a defense costs whoever is not attacked",
    "radii": "certified accuracy at every radius of every certified row",
    "guarantees": "certificates held against the triggered texts",
}
"""What there is, by name."""

_MAKERS: Final[Mapping[str, Maker]] = {
    **dict.fromkeys(("1", "3", "4", "5", "6", "7", "8"), accuracy_sheet),
    "2": radius_sheets,
    "9": cost_sheet,
    "10": clean_sheet,
    "radii": radius_steps,
    "guarantees": guarantee_sheet,
}


def build_sheets(folder: Path, names: Sequence[str] = ()) -> list[Sheet]:
    """Build tables from the records of a grid.

    Args:
        folder: The folder of the grid.
        names: Which, by :data:`TITLES` or by the name of a part such as "2-proved"; all that have rows, but
            for ``radii``, if empty.

    Returns:
        The tables, some in several parts.

    Raises:
        FuzzsmoothError: If there is no such table, it has no rows yet, or the folder holds no grid.
    """
    sheets: list[Sheet] = []
    for name in names or [one for one in TITLES if one != "radii"]:
        whole = name if name in TITLES else name.partition("-")[0]
        if whole not in TITLES:
            raise FuzzsmoothError(f"there is no table '{name}'; {did_you_mean(name, TITLES)}")
        reading = read_measured(folder, int(whole) if whole.isdecimal() else None)
        made = _MAKERS[whole](reading, whole)
        found = [one for one in made if one.rows and name in (whole, one.name)]
        if names and not found:
            parts = ", ".join(one.name for one in made if one.rows)
            raise FuzzsmoothError(
                f"table '{name}' of {folder} has no rows"
                + (f"; its parts are {parts}" if parts and name != whole else _why(reading))
            )
        sheets += [_noted(one, reading, TITLES[whole]) for one in found]
    if not sheets:
        raise FuzzsmoothError(f"{folder} holds no whole cell yet; run 'fuzzsmooth bench run' on")
    return sheets


def _why(reading: Reading) -> str:
    if not reading.cells:
        return "; no block of the grid is for it"
    return f" yet ({reading.whole} of {reading.cells} cells are measured)"


def _noted(sheet: Sheet, reading: Reading, title: str) -> Sheet:
    """A table with what is missing, and which versions measured it, among its notes."""
    notes = list(sheet.notes)
    if reading.whole < reading.cells:
        notes.append(f"Unfinished: {reading.whole} of {reading.cells} cells are measured.")
    if len(reading.versions) > 1:
        notes.append(f"Measured by several versions of fuzzsmooth: {', '.join(reading.versions)}.")
    title = sheet.title or title
    title = f"Table {sheet.name}: {title}" if sheet.name[0].isdigit() else title
    return Sheet(sheet.name, title, sheet.columns, sheet.rows, tuple(notes))
