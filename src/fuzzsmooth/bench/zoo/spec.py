"""The spec of a zoo: the file of a grid whose cells are the models themselves, without any defense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.grid.cells import Cell, lay_out
from fuzzsmooth.bench.grid.options import read_grid
from fuzzsmooth.bench.grid.store import UNDEFENDED
from fuzzsmooth.bench.options import CLEAN_MODEL
from fuzzsmooth.common.options import require

_ROWS = (UNDEFENDED,)


def read_zoo(content: Mapping[str, Any], where: str, data_root: Path | None) -> list[Cell]:
    """The models of a zoo, as cells of a grid; the name of a block is that of its family.

    Args:
        content: The parsed file; see ``grids/zoo.toml``.
        where: Its name, for sentences.
        data_root: Folder that data sets are under.

    Raises:
        FuzzsmoothError: If an option is wrong, data are missing, or all models are clean or none is.
    """
    blocks = read_grid({"rows": list(_ROWS), **content}, where)
    for block in blocks:
        require(
            block.rows == _ROWS and not block.sweep,
            f"{where}, block '{block.name}': a zoo holds models alone; leave rows and sweep out",
        )
        require(bool(block.name), f"{where}: name every block; the name is that of the family of its models")
    cells = lay_out(blocks, data_root)
    clean = sum(is_clean(cell) for cell in cells)
    require(
        0 < clean < len(cells),
        f"{where}: {clean} of {len(cells)} models are clean; a zoo needs some of both kinds",
    )
    return cells


def is_clean(cell: Cell) -> bool:
    """Whether a model of a zoo is clean."""
    return cell.options.attack == CLEAN_MODEL


def family(cell: Cell) -> str:
    """The family of a model."""
    return cell.labels[0].block


def twins(cells: Sequence[Cell]) -> dict[str, Cell]:
    """For each model, by its address, a clean one of the same data that is not itself, where there is one."""
    found = {}
    for cell in cells:
        data = cell.labels[0].data
        alike = [
            other
            for other in cells
            if is_clean(other) and other.labels[0].data == data and other.address != cell.address
        ]
        if alike:
            found[cell.address] = alike[int(cell.address, 16) % len(alike)]
    return found
