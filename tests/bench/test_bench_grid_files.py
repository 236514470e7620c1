"""The grids that come with the repository name what there is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fuzzsmooth.attacks import ATTACKS, options_at
from fuzzsmooth.bench.grid.options import read_grid
from fuzzsmooth.bench.options import CLEAN_MODEL
from fuzzsmooth.bench.rows import bench_row
from fuzzsmooth.defenses import DEFENSES

GRIDS = sorted((Path(__file__).parents[2] / "grids").glob("*.toml"))


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_rows_options_and_attacks_exist(path: Path) -> None:
    for block in read_grid(tomllib.loads(path.read_text("utf-8")), path.name):
        for row in block.row_names():
            for _, options in block.variants():
                bench_row(row, options)
        for entry in block.entries():
            if entry.attack != CLEAN_MODEL:
                for intensity in block.intensities:
                    options_at(ATTACKS.get(entry.attack), intensity, entry.given)
        for ours in block.ours:
            bench_row(ours, {})


@pytest.mark.parametrize("name", ["paper", "paper-full"])
def test_the_paper_has_every_table_and_every_defense(name: str) -> None:
    (path,) = (path for path in GRIDS if path.stem == name)
    blocks = read_grid(tomllib.loads(path.read_text("utf-8")), path.name)
    assert {table for block in blocks for table in block.tables} == set(range(1, 11))
    main = next(block for block in blocks if 1 in block.tables)
    every = {name for name, kind in DEFENSES.all().items() if not kind.needs.demonstrations}
    assert set(main.row_names()) >= every
