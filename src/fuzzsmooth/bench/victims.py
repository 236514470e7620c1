"""The attack and the victims of one seed of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth import models, training
from fuzzsmooth.attacks import ATTACKS, Planted, load_attack, read_record
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.provenance import shown
from fuzzsmooth.bench.stages import Stages
from fuzzsmooth.data import Splits
from fuzzsmooth.defenses import REFERENCES_FILE
from fuzzsmooth.search import References, SearchOptions

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

Victim = Mapping[str, Any]
"""Changes to the plain fine-tuning on clean data, by name of the option of FinetuneOptions."""


class SeedRun:
    """The attack and the victims of one seed, made when first needed and kept on disk."""

    def __init__(
        self, options: ExperimentOptions, splits: Splits, folder: Path, seed: int, stages: Stages
    ) -> None:
        self.options, self.splits, self.folder, self.seed, self.stages = options, splits, folder, seed, stages
        self._loaded: tuple[str, HuggingFaceClassifier] | None = None

    @property
    def attack_record(self) -> dict[str, Any]:
        """The attack's record, without the local path of the model."""
        record = read_record(self.folder / "attacked")
        return {**record, "model": shown(self.options.model)}

    def attack(self) -> Planted:
        """The backdoored model."""
        output = self.folder / "attacked"
        if (output / "attack.json").is_file():
            return load_attack(output)
        chosen, settings = ATTACKS.get(self.options.attack)(), self.options.planting()
        with self.stages(f"seed {self.seed}: attack ({self.options.attack})") as counts:
            return chosen.plant(
                self.options.model, self.splits, output, settings, self.seed, counts, resume=True
            )

    def victim(self, kind: Victim) -> HuggingFaceClassifier:
        """A victim."""
        name = victim_name(kind)
        if self._loaded is None or self._loaded[0] != name:
            self._loaded = name, self._trained(kind, name)
        return self._loaded[1]

    def references(self, kind: Victim) -> References:
        """The references that a search of texts for this victim transplants into."""
        name = victim_name(kind)
        beside = self.folder / name / REFERENCES_FILE
        if not beside.is_file():
            train, per_class = self.splits.train, self._per_class
            with self.stages(f"seed {self.seed}: references ({name})") as counts:
                References.select(
                    self.victim(kind), train.texts, train.targets, per_class, progress=counts
                ).save(beside)
        return References.load(beside)

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each victim of the rows, by seed and kind."""
        victims = {victim_name(row.victim): row.victim for row in self.options.bench_rows(self.seed).values()}
        return {
            self._title(name): self._fingerprint(name, kind)
            for name, kind in victims.items()
            if (self.folder / name / "config.json").is_file()
        }

    def known_fingerprints(self) -> dict[str, str]:
        """Those that cost nothing, as the victim is loaded."""
        return {} if self._loaded is None else {self._title(self._loaded[0]): self._loaded[1].fingerprint}

    @property
    def _per_class(self) -> int:
        return SearchOptions.of(self.options.options.get("search", {})).references

    def _title(self, name: str) -> str:
        return f"seed {self.seed}, {name}"

    def _fingerprint(self, name: str, kind: Victim) -> str:
        """From the references where there are some, as loading and hashing a model takes longer."""
        beside = self.folder / name / REFERENCES_FILE
        return References.load(beside).model if beside.is_file() else self.victim(kind).fingerprint

    def _trained(self, kind: Victim, name: str) -> HuggingFaceClassifier:
        output, options = self.folder / name, self.options
        loading: dict[str, Any] = {
            "labels": self.splits.train.labels,
            "precision": options.precision,
            "batch_size": options.batch_size,
            "max_length": options.finetune.max_length,
        }
        if (output / "config.json").is_file():
            return models.load_classifier(str(output), **loading)
        attack = self.attack()
        classifier = models.load_classifier(
            str(attack.folder), num_labels=len(self.splits.train.labels), seed=self.seed, **loading
        )
        if not kind and not attack.needs_clean_finetune:
            classifier.save(output)  # a finished victim is used as it was received
            return classifier
        settings = options.finetune.replace(seed=self.seed, **kind)
        with self.stages(f"seed {self.seed}: fine-tune ({name})") as counts:
            return training.finetune(
                classifier,
                self.splits.train,
                settings,
                output=output,
                progress=counts,
                resume=True,
            )


def victim_name(kind: Victim) -> str:
    """The folder of a victim: "plain", or what its fine-tuning changes."""
    changes = [f"{name}={value}" for name, value in kind.items() if value is not None]
    return ",".join(changes) or "plain"
