"""An experiment end to end: attack, fine-tune the victims, defend, record every text.

Everything is kept under one folder and nothing there is computed twice: a run that was stopped goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from fuzzsmooth.attacks import AttackResult, load_attack, recipe
from fuzzsmooth.common.files import Ledger, write_json
from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.data import Splits, load_splits
from fuzzsmooth.evaluate.catalog import BUDGETS
from fuzzsmooth.evaluate.claim import claim
from fuzzsmooth.evaluate.measure import EvaluatedText, Measured, measure
from fuzzsmooth.evaluate.provenance import shown, versions
from fuzzsmooth.evaluate.records import RECORDS_FILE, SETTINGS_FILE, TextRecord, record_key
from fuzzsmooth.evaluate.rows import UNDEFENDED, Defense, Victim, choose, defenses
from fuzzsmooth.evaluate.stages import Stages, as_advance, silent_stages
from fuzzsmooth.fuzz import References
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier
from fuzzsmooth.smoothing import REFERENCES_FILE, SmoothedClassifier, SmoothingOptions
from fuzzsmooth.smoothing.noisy import NoisyHuggingFaceClassifier
from fuzzsmooth.training import FinetuneOptions, finetune, splits_for

_CHUNK = 64  # texts between two appends: what a kill can lose


@dataclass(frozen=True, kw_only=True)
class ExperimentOptions(Options):
    """What is attacked, how, and what defends.

    Attributes:
        data: A data set as :func:`fuzzsmooth.data.load_splits` takes it.
        text_column: Column of the texts.
        label_column: Column of the labels.
        train_size: Training texts at most, drawn at random; None for all.
        test_size: Test texts at most, drawn at random; None for all.
        model: The clean pre-trained model that is attacked.
        recipe: The attack.
        attack: Options of the recipe, by name; its defaults otherwise.
        finetune: How the victims are fine-tuned on clean data; noise and seed are set per victim.
        smoothing: What the defended rows share.
        rows: Rows of the table, in order.
        budgets: Search budgets that rows "budget-N" may name.
        seeds: One complete run, attack included, per seed.
        certified_texts: Test texts at most in rows of mode "certified", which cost ``draws`` passes each.
        victims: Folder of the attacked and fine-tuned models, to share them between runs that differ only in
            what defends; None keeps them in the folder of the run.
        precision: Arithmetic of the evaluations; certificates in bfloat16 are conditional on its rounding.
        batch_size: Texts per forward pass.
    """

    data: str = "builtin:reviews"
    text_column: str = "text"
    label_column: str = "label"
    train_size: int | None = None
    test_size: int | None = None
    model: str = "builtin:minilm"
    recipe: str = "ripple"
    attack: dict[str, Any] = field(default_factory=dict)
    finetune: FinetuneOptions = field(default_factory=lambda: FinetuneOptions(epochs=2))
    smoothing: SmoothingOptions = field(default_factory=SmoothingOptions)
    rows: tuple[str, ...] = (UNDEFENDED, "frs-kl", "frs-transplant", "windows", "certified")
    budgets: tuple[int, ...] = BUDGETS
    seeds: tuple[int, ...] = (0,)
    certified_texts: int = 100
    victims: str | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    batch_size: int = 64

    RANGES = MappingProxyType(
        {
            "train_size": Between(1, 1_000_000_000),
            "test_size": Between(1, 1_000_000_000),
            "budgets": Between(1, 1_000_000),
            "seeds": Between(0, SEEDS),
            "certified_texts": Between(1, 1_000_000_000),
            "batch_size": Between(1, 65_536),
        }
    )

    def validate(self) -> None:
        """Check that there are rows and seeds."""
        choose(defenses(self.smoothing, self.budgets), self.rows)
        require(bool(self.rows), "rows must name at least one row")
        require(bool(self.seeds), "seeds must name at least one seed")


def run_experiment(
    options: ExperimentOptions, out: Path, *, stages: Stages = silent_stages, command: str = ""
) -> Path:
    """Run what is not done yet, and write records and settings for the report.

    Args:
        options: The experiment.
        out: Folder of the run; one experiment per folder.
        stages: Progress display.
        command: The command line that started it, for the report.

    Returns:
        The folder, ready for :func:`fuzzsmooth.report.build_report`.

    Raises:
        FuzzsmoothError: If the folder holds another experiment, or anything in the options does not fit.
    """
    splits = _splits(options)
    data = {"train_sha256": splits.train.fingerprint, "test_sha256": splits.test.fingerprint}
    claim(out, options.to_mapping() | data, ExperimentOptions().to_mapping())
    victims = out if options.victims is None else Path(options.victims)
    if victims != out:
        data = {"train_sha256": splits.train.fingerprint}
        claim(victims, _victim_mapping(options) | data, _victim_mapping(ExperimentOptions()))
    ledger = Ledger(out / RECORDS_FILE)
    rows = choose(defenses(options.smoothing, options.budgets), options.rows)
    facts: dict[str, Any] = {"models": {}}
    for seed in options.seeds:
        run = _SeedRun(options, splits, victims / f"seed{seed}", seed, stages)
        attack = run.attack()
        facts |= {"attack": run.attack_record, "target": attack.target}
        for name, defense in rows.items():
            _measure_row(name, defense, run, attack, ledger)
        facts["models"] |= {f"seed {seed}, {kind}": print_ for kind, print_ in run.fingerprints().items()}
    write_json(out / SETTINGS_FILE, _settings(options, splits, facts, command))
    return out


class _SeedRun:
    """The attack and the victims of one seed, made when first needed and kept on disk."""

    def __init__(
        self, options: ExperimentOptions, splits: Splits, folder: Path, seed: int, stages: Stages
    ) -> None:
        self.options, self.splits, self.folder, self.seed, self.stages = options, splits, folder, seed, stages
        self._loaded: tuple[Victim, HuggingFaceClassifier] | None = None

    @property
    def attack_record(self) -> dict[str, Any]:
        """The attack's record, without the local path of the model."""
        record: dict[str, Any] = json.loads((self.folder / "attacked" / "attack.json").read_text("utf-8"))
        return {**record, "model": shown(self.options.model)}

    def attack(self) -> AttackResult:
        """The backdoored model."""
        output = self.folder / "attacked"
        if (output / "attack.json").is_file():
            return load_attack(output)
        chosen = recipe(self.options.recipe)
        settings = type(chosen).options_type.from_mapping(
            self.options.attack, where=f"attack '{self.options.recipe}'"
        )
        with self.stages(f"seed {self.seed}: attack ({self.options.recipe})") as counts:
            return chosen.run(
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
        """SHA-256 of each victim."""
        kinds = [kind for kind in get_args(Victim) if (self.folder / kind / "config.json").is_file()]
        return {kind: self._fingerprint(kind) for kind in kinds}

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


def _measure_row(name: str, defense: Defense, run: _SeedRun, attack: AttackResult, ledger: Ledger) -> None:
    """Append the records of one row that are not there yet."""
    texts = _test_texts(run, attack, defense)
    missing = [text for text in texts if record_key(run.seed, name, text.split, text.index) not in ledger]
    if not missing:
        return
    classifier, smoothed = run.victim(defense.victim), None
    if defense.options is not None:
        options = defense.options.replace(seed=run.seed)
        noisy, references = NoisyHuggingFaceClassifier(classifier), run.references(defense.victim)
        smoothed = SmoothedClassifier(noisy, options, references)
    with run.stages(f"seed {run.seed}: {name}") as counts:
        advance = as_advance(counts, len(missing))
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            began = time.perf_counter()
            measured = measure(classifier, smoothed, [text.text for text in chunk])
            seconds = (time.perf_counter() - began) / len(chunk)
            pairs = zip(chunk, measured, strict=True)
            ledger.append(_record(run.seed, name, text, result, seconds) for text, result in pairs)
            advance(len(chunk))


def _record(seed: int, name: str, text: EvaluatedText, result: Measured, seconds: float) -> Mapping[str, Any]:
    return TextRecord(
        seed=seed,
        defense=name,
        split=text.split,
        index=text.index,
        text=text.text,
        label=text.label,
        trigger=text.trigger,
        seconds=seconds,
        prediction=result.prediction,
        votes=result.votes,
        draws=result.draws,
        spans=result.spans,
        radii=result.radii,
        guarantee=result.guarantee,
        evaluations=result.evaluations,
    ).to_json()


def _test_texts(run: _SeedRun, attack: AttackResult, defense: Defense) -> list[EvaluatedText]:
    """Every test text as it is, and every one not of the target class with the trigger in it."""
    certified = defense.options is not None and defense.options.mode == "certified"
    count = run.options.certified_texts if certified else len(run.splits.test)
    rows = list(enumerate(run.splits.test))[:count]
    clean = [EvaluatedText("clean", index, example.text, example.label) for index, example in rows]
    triggered = []
    for index, example in rows:
        if example.label != attack.target:
            planted = attack.trigger.apply(example.text, generator(run.seed, "test-trigger", index))
            triggered.append(
                EvaluatedText("triggered", index, planted.text, example.label, tuple(planted.spans))
            )
    return clean + triggered


def _splits(options: ExperimentOptions) -> Splits:
    splits = load_splits(
        options.data,
        text_column=options.text_column,
        label_column=options.label_column,
        train_size=options.train_size,
        test_size=options.test_size,
    )
    return splits_for(options.model, splits)


def _victim_mapping(options: ExperimentOptions) -> dict[str, Any]:
    """The options that decide what the victims are."""
    names = ("model", "recipe", "attack", "finetune")
    smoothing = options.smoothing
    noise = {"sigma": smoothing.sigma, "top_layers": smoothing.top_layers, "rate": smoothing.rate}
    mapping = options.to_mapping()
    return {name: mapping[name] for name in names} | noise


def _settings(
    options: ExperimentOptions, splits: Splits, facts: Mapping[str, Any], command: str
) -> dict[str, Any]:
    train, test = splits.train, splits.test
    return {
        "version": VERSION,
        "target": facts["target"],
        "labels": list(train.labels),
        "dataset": {
            "name": shown(options.data),
            "train": len(train),
            "test": len(test),
            "train_sha256": train.fingerprint,
            "test_sha256": test.fingerprint,
            "skipped_rows": len(train.skipped) + len(test.skipped),
        },
        "attack": facts["attack"],
        "model": {"name": shown(options.model), **facts["models"]},
        "options": _shown_options(options),
        "seeds": list(options.seeds),
        "command": command,
        "versions": versions(),
    }


def _shown_options(options: ExperimentOptions) -> dict[str, Any]:
    places = {"model": options.model, "data": options.data, "victims": options.victims}
    return options.to_mapping() | {name: value and shown(value) for name, value in places.items()}
