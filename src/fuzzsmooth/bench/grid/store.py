"""The folder of a grid: the list of its cells, what each has come to, and what is being made. Without torch.

``grid.json`` lists the cells of the grid that was run last; ``cells/ADDRESS/`` holds ``cell.json`` and the
records of one, ``models/ADDRESS/`` what cells share. Cells and models of other grids stay, and are used where
a later grid has them.

A whole cell is never measured again, whatever version of fuzzsmooth did it: its address covers its options
with their defaults, not the code. Tables name the versions where there are several. A cell that another
version has begun is begun anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fuzzsmooth.bench.fields import integer, optional, parse_fields, several, string
from fuzzsmooth.bench.records import RECORDS_FILE
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.locking import is_locked
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.common.version import VERSION

MANIFEST: Final = "grid.json"
CELL: Final = "cell.json"
FAILED: Final = "failed.json"
UNDEFENDED: Final = "undefended"

_CELLS: Final = "cells"
_MODELS: Final = "models"

State = Literal["whole", "failed", "running", "left"]
_RUN_FIRST: Final = "give the folder of 'fuzzsmooth bench run'"


@dataclass(frozen=True, kw_only=True)
class Label:
    """Where a cell stands in the tables.

    Attributes:
        block: Block of the grid.
        tables: The tables that it is for.
        data: Data set that is trained on.
        test_data: Data set that is tested on.
        model: Pre-trained model.
        attack: What the attack is called.
        intensity: Its intensity.
        row: Row of the bench.
        variant: What a sweep changes, such as "sigma=0.02"; empty for nothing.
        seed: Seed.
        ours: Whether it is tested against the best of the others.
    """

    block: str
    tables: tuple[int, ...]
    data: str
    test_data: str
    model: str
    attack: str
    intensity: str
    row: str
    variant: str
    seed: int
    ours: bool

    @property
    def title(self) -> str:
        """In a few words."""
        return f"{' / '.join(self.setting)} / {self.name} / seed {self.seed}"

    @property
    def name(self) -> str:
        """The row with what is changed in it."""
        return f"{self.row} {self.variant}".rstrip()

    @property
    def setting(self) -> tuple[str, ...]:
        """What rows are compared in: data, model, attack, and what is not as usual."""
        tested = self.data if self.data == self.test_data else f"{self.data} to {self.test_data}"
        strength = "" if self.intensity == "default" else f" ({self.intensity})"
        return tested, self.model, self.attack + strength


@dataclass(frozen=True)
class Entry:
    """A cell of the list: its address and one of its labels."""

    address: str
    label: Label


def write_manifest(folder: Path, entries: Sequence[Entry]) -> None:
    """Keep the list of cells.

    Raises:
        FuzzsmoothError: If the folder holds other things and no grid.
    """
    if folder.is_dir() and not (folder / MANIFEST).is_file():
        foreign = [path.name for path in folder.iterdir() if path.name not in (_CELLS, _MODELS)]
        require(not foreign, f"{folder} is not empty and holds no grid; choose another folder")
    cells = [{"address": one.address, **asdict(one.label)} for one in entries]
    write_json(folder / MANIFEST, {"version": VERSION, "cells": cells})


def read_manifest(folder: Path) -> list[Entry]:
    """The list of cells.

    Raises:
        FuzzsmoothError: If there is none, or it is damaged.
    """
    path = folder / MANIFEST
    cells = read_json_object(path, mend=_RUN_FIRST).get("cells")
    require(isinstance(cells, list) and bool(cells), f"{path} lists no cells; {_RUN_FIRST}")
    assert isinstance(cells, list)
    entries = []
    for number, cell in enumerate(cells, 1):
        values = parse_fields(cell, _PARSERS, f"{path}, cell {number}")
        found = values.pop("address")
        require(_is_address(found), f"{path}, cell {number}: the address is damaged; {_RUN_FIRST}")
        entries.append(Entry(found, Label(**values)))
    return entries


def cell_folder(folder: Path, address: str) -> Path:
    """Where a cell is kept."""
    return folder / _CELLS / address


def models_folder(folder: Path) -> Path:
    """Where models that cells share are kept."""
    return folder / _MODELS


def state(folder: Path, address: str) -> State:
    """What a cell has come to."""
    place = cell_folder(folder, address)
    if is_whole(place):
        return "whole"
    if (place / FAILED).is_file():
        return "failed"
    return "running" if is_locked(place) else "left"


def read_cell(place: Path) -> dict[str, Any]:
    """What ``cell.json`` of a cell says; empty where there is none."""
    file = place / CELL
    return read_json_object(file, mend="delete its folder and run the grid again") if file.is_file() else {}


def is_whole(place: Path) -> bool:
    """Whether all of a cell is measured."""
    return read_cell(place).get("whole") is True


def begin(place: Path, facts: Mapping[str, Any]) -> None:
    """Mark a cell as begun; what another version has left of it is put away."""
    before = read_cell(place)
    if before and before.get("version") != VERSION:
        (place / RECORDS_FILE).unlink(missing_ok=True)
    (place / FAILED).unlink(missing_ok=True)
    write_json(place / CELL, {"version": VERSION, "whole": False, **facts})


def finish(place: Path, facts: Mapping[str, Any]) -> None:
    """Mark a cell as whole."""
    write_json(place / CELL, {**read_cell(place), "whole": True, **facts})


def fail(place: Path, sentence: str, trace: str = "") -> None:
    """Keep why a cell could not be measured."""
    write_json(place / FAILED, {"version": VERSION, "sentence": sentence, "trace": trace})


def fail_model(model: Path, sentence: str) -> None:
    """Keep why a model could not be made."""
    write_json(model.with_name(f"{model.name}.{FAILED}"), {"version": VERSION, "sentence": sentence})


def refuse_failed(model: Path) -> None:
    """Refuse to make a model that could not be made before.

    Raises:
        FuzzsmoothError: With the sentence of then.
    """
    file = model.with_name(f"{model.name}.{FAILED}")
    if file.is_file():
        raise FuzzsmoothError(str(read_json_object(file, mend=_RUN_FIRST).get("sentence", "")))


def forget_failures(folder: Path, addresses: Sequence[str]) -> None:
    """Let cells that failed, and models, be tried again."""
    for address in addresses:
        (cell_folder(folder, address) / FAILED).unlink(missing_ok=True)
    for file in models_folder(folder).glob(f"*.{FAILED}"):
        file.unlink(missing_ok=True)


def failure(folder: Path, address: str) -> str:
    """Why a cell failed."""
    file = cell_folder(folder, address) / FAILED
    return str(read_json_object(file, mend=_RUN_FIRST).get("sentence", ""))


def _is_address(value: str) -> bool:
    return bool(value) and set(value) <= set("0123456789abcdef")


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise FuzzsmoothError("expected true or false")
    return value


_TEXTS: Final = ("address", "block", "data", "test_data", "model", "attack", "intensity", "row", "variant")
_PARSERS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_TEXTS, string),
    "tables": several(integer),
    "seed": integer,
    "ours": _truth,
}
TARGET: Final = optional(integer)
"""Parser of the class that an attack wants, in ``cell.json``."""
