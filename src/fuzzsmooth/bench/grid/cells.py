"""Cells: one row, one seed of one experiment, under an address that is a hash of all that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from fuzzsmooth.attacks import Intensity
from fuzzsmooth.bench.experiment import experiment_data
from fuzzsmooth.bench.grid.options import AttackEntry, BlockOptions
from fuzzsmooth.bench.grid.store import Label
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.provenance import shown
from fuzzsmooth.bench.rows import BenchRow
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data import Dataset, Splits
from fuzzsmooth.models.sources import resolve_model

_BUILTIN = "builtin:"
_ADDRESS = 20  # hex digits


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        address: Hash of all that decides its records.
        options: The experiment, of one row and one seed.
        data: SHA-256 of its training and its test texts, as they were when the grid was laid out.
        labels: Where it stands in the tables, once for each block that has it.
    """

    address: str
    options: ExperimentOptions
    data: tuple[str, str]
    labels: tuple[Label, ...]

    @property
    def seed(self) -> int:
        """The seed."""
        return self.options.seeds[0]

    @property
    def row(self) -> BenchRow:
        """The row."""
        return self.options.bench_rows(self.seed)[self.options.rows[0]]

    @property
    def title(self) -> str:
        """The cell in a few words."""
        return self.labels[0].title


def lay_out(blocks: Sequence[BlockOptions], data_root: Path | None = None) -> list[Cell]:
    """The cells of a grid; what several blocks ask for is one cell.

    Args:
        blocks: The blocks.
        data_root: Folder that data sets are under.

    Returns:
        The cells, those of one attacked model together, in the order of the blocks.

    Raises:
        FuzzsmoothError: If a data set or a model is missing, or an option of any cell is wrong: before
            anything is computed.
    """
    _check_names(blocks)
    cells: dict[str, Cell] = {}
    for number, block in enumerate(blocks, 1):
        for data, test in block.trained_and_tested():
            for model in block.models:
                for entry in block.entries():
                    for intensity in block.intensities:
                        found = _of_attack(block, number, data, test, model, entry, intensity, data_root)
                        for cell in found:
                            known = cells.get(cell.address)
                            labels = (*(known.labels if known else ()), *cell.labels)
                            cells[cell.address] = replace(cell, labels=labels)
    require(bool(cells), "the grid has no cell: where test_data are given, one must differ from the data")
    return list(cells.values())


def _of_attack(
    block: BlockOptions,
    number: int,
    data: str,
    test: str | None,
    model: str,
    entry: AttackEntry,
    intensity: Intensity,
    data_root: Path | None,
) -> Iterable[Cell]:
    for seed in block.seeds:
        for row in block.row_names():
            for variant, options in block.variants():
                label = Label(
                    block=block.name or f"block {number}",
                    tables=block.tables,
                    data=_named(data),
                    test_data=_named(test or data),
                    model=_named(model),
                    attack=entry.title,
                    intensity=intensity,
                    row=row,
                    variant=variant,
                    seed=seed,
                    ours=row in block.ours,
                )
                try:
                    experiment = ExperimentOptions(
                        data=_placed(data, data_root),
                        test_data=None if test is None else _placed(test, data_root),
                        text_column=block.text_column,
                        label_column=block.label_column,
                        train_size=block.train_size,
                        test_size=block.test_size,
                        model=model,
                        attack=entry.attack,
                        intensity=intensity,
                        attack_options=entry.given,
                        finetune=block.finetune,
                        options=options,
                        rows=(row,),
                        seeds=(seed,),
                        certified_texts=block.certified_texts,
                        calibration_size=block.calibration_size,
                        precision=block.precision,
                        batch_size=block.batch_size,
                    )
                    yield _cell(experiment, label)
                except FuzzsmoothError as error:
                    raise FuzzsmoothError(f"{label.block}, {label.title}: {error}") from error


def _cell(options: ExperimentOptions, label: Label) -> Cell:
    splits, _ = data_of(options)
    found = (splits.train.fingerprint, splits.test.fingerprint)
    seed = options.seeds[0]
    row = options.bench_rows(seed)[options.rows[0]]
    proved = row.defense.guarantee == "proved"
    decides = {
        **attack_facts(options, splits),
        "test": found[1],
        "calibration": options.calibration_size,
        "finetune": options.finetune.to_mapping(),
        "row": row.name,
        "defense": row.defense.name,
        "options": row.options.to_mapping(),
        "victim": dict(row.victim),
        "plain": row.plain,
        "texts": options.certified_texts if proved else None,
        "precision": options.precision,
    }
    return Cell(address(decides), options, found, (label,))


def attack_facts(options: ExperimentOptions, splits: Splits) -> dict[str, Any]:
    """What decides the model that an attack leaves: options with their defaults, texts by their hash."""
    return {
        "model": model_identity(options.model),
        "attack": options.attack,
        "attack_options": options.planting().to_mapping(),
        "train": splits.train.fingerprint,
        "classes": list(splits.train.labels),
        "seed": options.seeds[0],
    }


def address(facts: Mapping[str, Any]) -> str:
    """The hash of facts given as JSON values."""
    content = json.dumps(facts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()[:_ADDRESS]


def data_of(options: ExperimentOptions) -> tuple[Splits, Dataset]:
    """:func:`fuzzsmooth.bench.experiment.experiment_data`, kept for the cells that follow."""
    names = ("data", "test_data", "text_column", "label_column", "train_size", "test_size", "model")
    plain = {name: getattr(options, name) for name in names}
    return _data(tuple(plain.items()), options.calibration_size)


@lru_cache(maxsize=8)
def _data(names: tuple[tuple[str, Any], ...], kept_back: int | None) -> tuple[Splits, Dataset]:
    return experiment_data(ExperimentOptions(**dict(names), rows=("undefended",), calibration_size=kept_back))


@lru_cache(maxsize=64)
def model_identity(name: str) -> str:
    """A packaged or a hub model by its name, a folder by a hash of its files, wherever it lies."""
    found = resolve_model(name)
    if found.kind != "folder":
        return name
    digest = hashlib.sha256()
    for file in sorted(Path(found.location).iterdir()):
        if file.is_file() and not file.name.startswith("."):
            with file.open("rb") as stream:
                digest.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _placed(data: str, data_root: Path | None) -> str:
    """A data set as it is loaded."""
    if data_root is None or data.startswith(_BUILTIN):
        return data
    place = data_root / data
    require(place.exists(), f"there is no {place}; check the name, or give another --data-root")
    return str(place)


def _check_names(blocks: Sequence[BlockOptions]) -> None:
    """Refuse two data sets or models that the tables would call alike."""
    for kind in ("data", "test_data", "models"):
        sources = {source for block in blocks for source in getattr(block, kind)}
        names: dict[str, str] = {}
        for source in sorted(sources):
            other = names.setdefault(_named(source), source)
            require(
                other == source,
                f"{kind}: {other} and {source} would both be called '{_named(source)}' in the tables; "
                "rename a folder",
            )


def _named(source: str) -> str:
    """A data set or a model as the tables call it."""
    return shown(source) if "/" in source else source
