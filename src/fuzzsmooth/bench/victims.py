"""The attack and the victims of one seed of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from fuzzsmooth.attacks import ATTACKS, Planted, load_attack, read_record
from fuzzsmooth.bench.provenance import shown
from fuzzsmooth.bench.rows import Victim
from fuzzsmooth.bench.stages import Stages
from fuzzsmooth.data import Splits
from fuzzsmooth.engine import REFERENCES_FILE
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier
from fuzzsmooth.search import References
from fuzzsmooth.training import FinetuneOptions, finetune

if TYPE_CHECKING:
    from fuzzsmooth.bench.experiment import ExperimentOptions


class SeedRun:
    """The attack and the victims of one seed, made when first needed and kept on disk."""

    def __init__(
        self, options: ExperimentOptions, splits: Splits, folder: Path, seed: int, stages: Stages
    ) -> None:
        self.options, self.splits, self.folder, self.seed, self.stages = options, splits, folder, seed, stages
        self._loaded: tuple[Victim, HuggingFaceClassifier] | None = None

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
        chosen, settings = ATTACKS.get(self.options.recipe)(), self.options.attack_options()
        with self.stages(f"seed {self.seed}: attack ({self.options.recipe})") as counts:
            return chosen.plant(
                self.options.model, self.splits, output, settings, self.seed, counts, resume=True
            )

    def victim(self, kind: Victim) -> HuggingFaceClassifier:
        """A victim."""
        if self._loaded is None or self._loaded[0] != kind:
            self._loaded = kind, self._trained(kind)
        return self._loaded[1]

    def references(self, kind: Victim) -> References:
        """The references that the search in texts for this victim transplants into."""
        beside = self.folder / kind / REFERENCES_FILE
        if not beside.is_file():
            train, per_class = self.splits.train, self.options.smoothing.search.references
            with self.stages(f"seed {self.seed}: references ({kind})") as counts:
                References.select(
                    self.victim(kind), train.texts, train.targets, per_class, progress=counts
                ).save(beside)
        return References.load(beside)

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each victim, by seed and kind."""
        kinds = [kind for kind in get_args(Victim) if (self.folder / kind / "config.json").is_file()]
        return {self._title(kind): self._fingerprint(kind) for kind in kinds}

    def known_fingerprints(self) -> dict[str, str]:
        """Those that cost nothing, as the victim is loaded."""
        return {} if self._loaded is None else {self._title(self._loaded[0]): self._loaded[1].fingerprint}

    def _title(self, kind: Victim) -> str:
        return f"seed {self.seed}, {kind}"

    def _fingerprint(self, kind: Victim) -> str:
        """From the references where there are some, as loading and hashing a model takes longer."""
        beside = self.folder / kind / REFERENCES_FILE
        return References.load(beside).model if beside.is_file() else self.victim(kind).fingerprint

    def _trained(self, kind: Victim) -> HuggingFaceClassifier:
        output, options = self.folder / kind, self.options
        loading: dict[str, Any] = {
            "labels": self.splits.train.labels,
            "precision": options.precision,
            "batch_size": options.batch_size,
            "max_length": options.finetune.max_length,
        }
        if (output / "config.json").is_file():
            return load_classifier(str(output), **loading)
        attack = self.attack()
        classifier = load_classifier(
            str(attack.folder), num_labels=len(self.splits.train.labels), seed=self.seed, **loading
        )
        if kind == "plain" and not attack.needs_clean_finetune:
            classifier.save(output)  # a finished victim is used as it was received
            return classifier
        settings = victim_options(kind, options, self.seed)
        with self.stages(f"seed {self.seed}: fine-tune ({kind})") as counts:
            return finetune(
                classifier,
                self.splits.train,
                settings,
                output=output,
                progress=counts,
                resume=True,
            )


def victim_options(kind: Victim, options: ExperimentOptions, seed: int) -> FinetuneOptions:
    """How a victim is fine-tuned: the noisy one under FRS Eq. 4, the other as the certificates want it."""
    smoothing, base = options.smoothing, options.finetune.replace(seed=seed)
    if kind == "noisy":
        return base.replace(sigma=smoothing.sigma, top_layers=smoothing.top_layers)
    if kind == "deletion":
        return base.replace(text_noise="delete", text_rate=smoothing.rate)
    return base
