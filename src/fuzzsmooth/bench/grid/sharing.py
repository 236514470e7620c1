"""The models of a grid: each made once, by whichever process comes first, under a hash of what decides it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuzzsmooth.attacks import Planted
from fuzzsmooth.bench.aiming import AIM_FILE
from fuzzsmooth.bench.grid.cells import Cell, address, attack_facts, data_of
from fuzzsmooth.bench.grid.store import UNDEFENDED, fail_model, models_folder, refuse_failed
from fuzzsmooth.bench.rows import BenchRow, bench_row
from fuzzsmooth.bench.stages import Stages
from fuzzsmooth.bench.victims import SeedRun
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.locking import LockedError, exclusive
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.defenses import REFERENCES_FILE
from fuzzsmooth.models.saving import POISONED_DATA


class SharedRun(SeedRun):
    """The attack and the victims of cells, in folders that all cells of a grid share.

    Args:
        cell: Any cell of the attack and the seed.
        folder: The folder of the grid.
        stages: Progress display.
    """

    def __init__(self, cell: Cell, folder: Path, stages: Stages) -> None:
        splits, held_out = data_of(cell.options)
        super().__init__(cell.options, splits, held_out, models_folder(folder), cell.seed, stages)
        self._attack_facts = attack_facts(cell.options, splits)
        self._told: dict[Path, Mapping[str, Any]] = {}  # what decides each of the folders that were named
        self.seconds = 0.0  # spent on making models

    def attack_folder(self) -> Path:
        """See :meth:`fuzzsmooth.bench.victims.SeedRun.attack_folder`."""
        return self._place({"what": "attack", **self._attack_facts})

    def victim_folder(self, row: BenchRow) -> Path:
        """See :meth:`fuzzsmooth.bench.victims.SeedRun.victim_folder`."""
        return self._place(self._victim_facts(row))

    def references_file(self, row: BenchRow) -> Path:
        """See :meth:`fuzzsmooth.bench.victims.SeedRun.references_file`."""
        facts = {
            "what": "references",
            "victim": self.victim_folder(row).name,
            "search": self.search.to_mapping(),
            "held_out": self.held_out.fingerprint,
            "precision": self.options.precision,
        }
        return self._place(facts) / REFERENCES_FILE

    def fitted_folder(self, row: BenchRow) -> Path:
        """See :meth:`fuzzsmooth.bench.victims.SeedRun.fitted_folder`."""
        facts = {
            "what": "fitted",
            "victim": self.victim_folder(row).name,
            "defense": row.defense.name,
            "options": row.options.to_mapping(),
            "held_out": self.held_out.fingerprint,
            "finetune": self.options.finetune.to_mapping(),
            "precision": self.options.precision,
        }
        return self._place(facts)

    def aim_file(self) -> Path:
        """See :meth:`fuzzsmooth.bench.victims.SeedRun.aim_file`."""
        plain = self.victim_folder(bench_row(UNDEFENDED, {}, self.seed))
        return self._place({"what": "aim", "victim": plain.name}) / AIM_FILE

    @contextmanager
    def making(self, whole: Path) -> Iterator[bool]:
        """Keep other processes from making the same; what was made is told in a file beside it.

        What cannot be made is not tried again by every cell that needs it, until the grid is run anew.

        Raises:
            LockedError: If another process is making it.
            FuzzsmoothError: If it cannot be made.
        """
        if whole.is_file():
            yield False
            return
        folder = whole.parent
        # Beside the folder's own lock, which training takes.
        with exclusive(folder.with_name(f"{folder.name}.making")):
            refuse_failed(folder)
            missing, began = not whole.is_file(), time.monotonic()
            try:
                yield missing
            except LockedError:
                raise
            except FuzzsmoothError as error:
                fail_model(folder, str(error))
                raise
            if missing:
                spent = time.monotonic() - began
                self.seconds += spent
                told = {"version": VERSION, "seconds": round(spent, 3), **self._told.get(folder, {})}
                write_json(folder.with_name(f"{folder.name}.json"), told)

    def costs(self, row: BenchRow) -> dict[str, float]:
        """Seconds that the attack and the model of a row took to make, whoever made them."""
        places = {"attack": self.attack_folder(), "model": self.victim_folder(row)}
        found = {name: place.with_name(f"{place.name}.json") for name, place in places.items()}
        return {
            f"{name}_seconds": float(read_json_object(file).get("seconds", 0.0))
            for name, file in found.items()
            if file.is_file()
        }

    def _victim_facts(self, row: BenchRow) -> dict[str, Any]:
        attack: Planted = self.attack()
        poisoned = row.defense.needs.poisoned_data and (attack.folder / POISONED_DATA).is_file()
        return {
            "what": "model",
            "attack": self.attack_folder().name,
            "finetune": self.options.finetune.to_mapping(),
            "victim": dict(row.victim),
            "plain": row.plain,
            "poisoned_data": poisoned,
            "held_out": self.held_out.fingerprint if "defense" in row.victim else None,
            "precision": self.options.precision,
        }

    def _place(self, facts: Mapping[str, Any]) -> Path:
        folder = self.folder / address(facts)
        self._told[folder] = facts
        return folder
