"""What a grid has measured: the records of each row in each setting, all seeds together. Without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.aims import Aim
from fuzzsmooth.bench.grid.store import (
    TARGET,
    UNDEFENDED,
    Entry,
    Label,
    cell_folder,
    read_cell,
    read_manifest,
)
from fuzzsmooth.bench.metrics import Row, summarize
from fuzzsmooth.bench.records import RECORDS_FILE, TextRecord, read_records


@dataclass(frozen=True)
class Measured:
    """A row in a setting.

    Attributes:
        label: Where it stands; its seed is the first.
        name: What it is called there.
        cells: What ``cell.json`` says, one for each seed.
        records: All its records.
        row: The metrics.
        aim: What the attack wants.
    """

    label: Label
    name: str
    cells: tuple[Mapping[str, Any], ...]
    records: tuple[TextRecord, ...]
    row: Row
    aim: Aim

    @property
    def fact(self) -> Mapping[str, Any]:
        """What its cells agree on."""
        return self.cells[0]

    def mean(self, name: str) -> float | None:
        """Mean over seeds of a number that cells tell; None where one does not."""
        values = [cell.get(name) for cell in self.cells]
        if not all(isinstance(value, int | float) for value in values):
            return None
        return sum(float(value) for value in values if value is not None) / len(values)


@dataclass(frozen=True)
class Setting:
    """Rows that are compared: the same data, model and attack.

    Attributes:
        name: Data, model and attack.
        rows: The rows, the undefended one first.
    """

    name: tuple[str, ...]
    rows: tuple[Measured, ...]


@dataclass(frozen=True)
class Reading:
    """What a table is made of.

    Attributes:
        settings: In the order of the grid.
        whole: Cells that are whole.
        cells: Cells in all.
        versions: The versions of fuzzsmooth that measured them.
    """

    settings: tuple[Setting, ...]
    whole: int
    cells: int
    versions: tuple[str, ...]


def read_measured(folder: Path, table: int | None = None) -> Reading:
    """Read the whole cells of a grid; one that is not whole is left out and counted.

    Args:
        folder: The folder of the grid.
        table: Only cells for this table; None for all.

    Raises:
        FuzzsmoothError: If the folder holds no grid, or a file is damaged.
    """
    entries = [one for one in read_manifest(folder) if table is None or table in one.label.tables]
    facts = {one.address: read_cell(cell_folder(folder, one.address)) for one in entries}
    whole = [one for one in entries if facts[one.address].get("whole") is True]
    settings = []
    for name in dict.fromkeys(one.label.setting for one in whole):
        groups = _rows([one for one in whole if one.label.setting == name])
        rows = [_measured(folder, title, group, facts) for title, group in groups.items()]
        rows.sort(key=lambda one: one.label.row != UNDEFENDED)  # stable: the others stay in order
        settings.append(Setting(name, tuple(rows)))
    done = {one.address for one in whole}
    return Reading(
        settings=tuple(settings),
        whole=len(done),
        cells=len(facts),
        versions=tuple(sorted({str(facts[address].get("version")) for address in done})),
    )


def _rows(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The cells of each row; where two blocks mean different ones, their names say the block."""
    found: dict[tuple[str, int], set[str]] = {}
    for one in entries:
        found.setdefault((one.label.name, one.label.seed), set()).add(one.address)
    unlike = {name for (name, _), addresses in found.items() if len(addresses) > 1}
    groups: dict[str, dict[str, Entry]] = {}
    for one in entries:
        name = one.label.name
        title = f"{name} [{one.label.block}]" if name in unlike else name
        groups.setdefault(title, {}).setdefault(one.address, one)
    return {title: list(group.values()) for title, group in groups.items()}


def _measured(
    folder: Path, name: str, entries: Sequence[Entry], facts: Mapping[str, Mapping[str, Any]]
) -> Measured:
    cells = tuple(facts[one.address] for one in entries)
    records = tuple(_records(folder, name, entries))
    targets = {one.label.seed: TARGET(facts[one.address].get("target")) for one in entries}
    known = {seed: target for seed, target in targets.items() if target is not None}
    aim = Aim(None, known)  # without a target any wrong label is a success
    (row,) = summarize(records, aim)
    return Measured(entries[0].label, name, cells, records, row, aim)


def _records(folder: Path, name: str, entries: Iterable[Entry]) -> Iterable[TextRecord]:
    for one in entries:
        for record in read_records(cell_folder(folder, one.address) / RECORDS_FILE):
            yield replace(record, defense=name)
