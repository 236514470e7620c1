"""The attack and the victims of one seed of an experiment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.attacks import ATTACKS, Planted, load_attack, read_record
from fuzzsmooth.bench.aiming import AIM_FILE, aimed
from fuzzsmooth.bench.clean_model import clean_model
from fuzzsmooth.bench.options import CLEAN_MODEL, ExperimentOptions
from fuzzsmooth.bench.provenance import shown
from fuzzsmooth.bench.rows import BenchRow, bench_row
from fuzzsmooth.bench.stages import Stages
from fuzzsmooth.data import Dataset, Example, Splits
from fuzzsmooth.defenses import REFERENCES_FILE, Defense, FittedDefense, Material
from fuzzsmooth.defenses.fitted import STATE, kept_warnings
from fuzzsmooth.models.saving import POISONED_DATA
from fuzzsmooth.search import References, SearchOptions, select_references

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

_PLAIN = "undefended"  # the row of the victim that is fine-tuned on clean data as it is


class SeedRun:
    """The attack and the victims of one seed, made when first needed and kept on disk."""

    def __init__(
        self,
        options: ExperimentOptions,
        splits: Splits,
        held_out: Dataset,
        folder: Path,
        seed: int,
        stages: Stages,
    ) -> None:
        self.options, self.splits, self.folder, self.seed, self.stages = options, splits, folder, seed, stages
        self.held_out = held_out
        self._loaded: tuple[Path, HuggingFaceClassifier] | None = None

    @property
    def attack_record(self) -> dict[str, Any]:
        """The attack's record, without the local path of the model."""
        clean = self.options.attack == CLEAN_MODEL
        record = {"attack": CLEAN_MODEL} if clean else read_record(self.attack_folder())
        return {**record, "model": shown(self.options.model)}

    def attack(self) -> Planted:
        """The backdoored model; the clean one where there is no attack."""
        options, output = self.options, self.attack_folder()
        if options.attack == CLEAN_MODEL:
            return clean_model(options)
        with self.making(output / "attack.json") as missing:
            if missing:
                with self.stages(f"seed {self.seed}: attack ({options.attack})") as counts:
                    ATTACKS.get(options.attack)().plant(
                        options.model,
                        self.splits,
                        output,
                        options.planting(),
                        self.seed,
                        counts,
                        resume=True,
                    )
        return load_attack(output)

    def attack_folder(self) -> Path:
        """Where the backdoored model is kept."""
        return self.folder / "attacked"

    def victim_folder(self, row: BenchRow) -> Path:
        """Where the model that a row protects is kept."""
        return self.folder / victim_name(row.victim)

    def references_file(self, row: BenchRow) -> Path:
        """Where the references of that model are kept."""
        facts = {"search": self.search.to_mapping(), "held_out": self.held_out.fingerprint}
        return self.folder / "references" / short_name(victim_name(row.victim), facts) / REFERENCES_FILE

    def fitted_folder(self, row: BenchRow) -> Path:
        """Where what the defense of a row has learned is kept."""
        settings = {"defense": row.defense.name, "options": row.options.to_mapping()}
        return self.folder / "fitted" / short_name(row.name, settings)

    def aim_file(self) -> Path:
        """Where the target of an attack is kept that is known only once the victim is tuned."""
        return self.folder / AIM_FILE

    @contextmanager
    def making(self, whole: Path) -> Iterator[bool]:
        """Around what makes something; a run that shares its models keeps others from making it too.

        Args:
            whole: The file that is there once it is made.

        Yields:
            Whether it is still to be made.
        """
        yield not whole.is_file()

    def aimed(self) -> Planted:
        """The attack, with the target and the trigger that the plain victim decides where that is so."""
        attack = self.attack()
        if attack.goal != "label known after tuning":
            return attack
        return aimed(
            attack,
            self.aim_file(),
            lambda: self.victim(bench_row(_PLAIN, {}, self.seed)),
            self.splits.train,
            self.options.planting(),
            self.seed,
        )

    def victim(self, row: BenchRow) -> HuggingFaceClassifier:
        """The model that a row protects."""
        folder = self.victim_folder(row)
        if self._loaded is None or self._loaded[0] != folder:
            self._loaded = folder, self._made(row, folder)
        return self._loaded[1]

    def defended(self, row: BenchRow) -> Defense:
        """The defense of a row around its model, with all that it needs."""
        references = self.references(row) if row.defense.needs.references else None
        defense = row.defense(self.victim(row), row.options, references)
        if isinstance(defense, FittedDefense):
            folder = self.fitted_folder(row)
            with (
                self.making(folder / STATE),
                self.stages(f"seed {self.seed}: fit ({row.name})") as counts,
            ):
                defense.fit(self.material(row), folder, counts)  # which takes what is there
        return defense

    def warnings(self, row: BenchRow) -> tuple[str, ...]:
        """What went wrong where the defense of a row was calibrated, a sentence each."""
        return kept_warnings(self.fitted_folder(row))

    def material(self, row: BenchRow) -> Material:
        """What the defender of a row has.

        Who needs the poisoned data has it where the attack poisoned any, and trains a clean model on it.
        Elsewhere the suspect model is what the attacker hands out, and the data are clean.
        """
        attack, data, model, options = self.attack(), self.splits.train, None, self.options
        poisoned = attack.folder / POISONED_DATA
        if row.defense.needs.poisoned_data and poisoned.is_file():
            data, model = _poisoned(poisoned, data), options.model
        return Material(
            model=str(model or attack.folder),
            data=data,
            held_out=self.held_out,
            finetune=options.finetune.replace(seed=self.seed),
            finished=not attack.needs_clean_finetune and model is None,
            twin=options.model,
            loading={"precision": options.precision, "batch_size": options.batch_size},
        )

    @property
    def search(self) -> SearchOptions:
        """How references are chosen: as the options that rows share say."""
        return SearchOptions.of(self.options.options.get("search", {}))

    def references(self, row: BenchRow) -> References:
        """The references that a search of texts for the model of a row transplants into.

        They have a witness if a row that uses one has asked for them.
        """
        beside, witnessed = self.references_file(row), row.defense.needs.trusted_encoder
        search = self.search if witnessed else self.search.replace(reward="transplant")
        with self.making(beside) as missing:
            if missing:
                return self._selected(row, search, beside)
        known = References.load(beside)
        if known.witness is None and search.reward in ("auto", "combined"):
            return self._selected(row, search, beside)
        return known

    def _selected(self, row: BenchRow, search: SearchOptions, beside: Path) -> References:
        train, held_out, victim = self.splits.train, self.held_out, self.victim(row)
        with self.stages(f"seed {self.seed}: references ({victim_name(row.victim)})") as counts:
            chosen = select_references(
                victim,
                (train.texts, train.targets),
                search,
                held_out=(held_out.texts, held_out.targets),
                progress=counts,
            )
        chosen.save(beside)
        return chosen

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each victim of the rows, by seed and kind."""
        victims = {self.victim_folder(row): row for row in self.options.bench_rows(self.seed).values()}
        return {
            self._title(folder): self._fingerprint(row)
            for folder, row in victims.items()
            if (folder / "config.json").is_file()
        }

    def known_fingerprints(self) -> dict[str, str]:
        """Those that cost nothing, as the victim is loaded."""
        return {} if self._loaded is None else {self._title(self._loaded[0]): self._loaded[1].fingerprint}

    def _title(self, folder: Path) -> str:
        return f"seed {self.seed}, {folder.name}"

    def _fingerprint(self, row: BenchRow) -> str:
        """From the references where there are some, as loading and hashing a model takes longer."""
        beside = self.references_file(row)
        return References.load(beside).model if beside.is_file() else self.victim(row).fingerprint

    def _made(self, row: BenchRow, output: Path) -> HuggingFaceClassifier:
        material = self.material(row)
        with self.making(output / "config.json") as missing:
            if missing:
                with self.stages(f"seed {self.seed}: model ({victim_name(row.victim)})") as counts:
                    return row.make_model(material, output, counts)
        return material.load(output)


def victim_name(kind: Mapping[str, Any]) -> str:
    """The folder of a victim: "plain", what its fine-tuning changes, or the defense that makes it."""
    if "defense" in kind:
        return short_name(str(kind["defense"]), kind)
    changes = [f"{name}={value}" for name, value in kind.items() if value is not None]
    return ",".join(changes) or "plain"


def short_name(name: str, content: Mapping[str, Any]) -> str:
    """A name for a folder that tells contents apart."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{name}-{digest[:12]}"


def _poisoned(file: Path, clean: Dataset) -> Dataset:
    """The poisoned data of an attack, with the classes of the clean ones."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    index = {name: number for number, name in enumerate(clean.labels)}
    return clean.with_examples([Example(row["text"], index[row["label"]]) for row in rows])
