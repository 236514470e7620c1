"""An experiment end to end: attack, fine-tune the victims, defend, record every text.

Everything is kept under one folder and nothing there is computed twice: a run that was stopped goes on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from fuzzsmooth.attacks import AttackResult, check_target, recipe
from fuzzsmooth.bench.catalog import BUDGETS
from fuzzsmooth.bench.claim import claim
from fuzzsmooth.bench.measure import EvaluatedText, Measured, chunk_size, measure
from fuzzsmooth.bench.provenance import shown, versions
from fuzzsmooth.bench.records import RECORDS_FILE, SETTINGS_FILE, TextRecord, record_key
from fuzzsmooth.bench.rows import UNDEFENDED, Defense, choose, defenses
from fuzzsmooth.bench.stages import Stages, as_advance, silent_stages
from fuzzsmooth.bench.victims import SeedRun
from fuzzsmooth.common.files import Ledger, write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.data import Splits, load_splits
from fuzzsmooth.engine import SmoothedClassifier, SmoothingOptions
from fuzzsmooth.training import FinetuneOptions, splits_for


@dataclass(frozen=True, kw_only=True)
class ExperimentOptions(Options):
    """What is attacked, how, and what defends."""

    data: Annotated[str, "A data set as :func:`fuzzsmooth.data.load_splits` takes it."] = "builtin:reviews"
    text_column: Annotated[str, "Column of the texts."] = "text"
    label_column: Annotated[str, "Column of the labels."] = "label"
    train_size: Annotated[
        int | None, Between(1, 1_000_000_000), "Training texts at most, drawn at random; None for all."
    ] = None
    test_size: Annotated[
        int | None, Between(1, 1_000_000_000), "Test texts at most, drawn at random; None for all."
    ] = None
    model: Annotated[str, "The clean pre-trained model that is attacked."] = "builtin:minilm"
    recipe: Annotated[str, "The attack."] = "ripple"
    attack: Annotated[dict[str, Any], "Options of the recipe, by name; its defaults otherwise."] = field(
        default_factory=dict
    )
    finetune: Annotated[
        FinetuneOptions, "How the victims are fine-tuned on clean data; noise and seed are set per victim."
    ] = field(default_factory=lambda: FinetuneOptions(epochs=2))
    smoothing: Annotated[SmoothingOptions, "What the defended rows share."] = field(
        default_factory=SmoothingOptions
    )
    rows: Annotated[tuple[str, ...], "Rows of the table, in order."] = (
        UNDEFENDED,
        "frs-kl",
        "frs-transplant",
        "windows",
        "certified",
    )
    budgets: Annotated[
        tuple[int, ...], Between(1, 1_000_000), "Search budgets that rows 'budget-N' may name."
    ] = BUDGETS
    seeds: Annotated[tuple[int, ...], Between(0, SEEDS), "One complete run, attack included, per seed."] = (
        0,
    )
    certified_texts: Annotated[
        int,
        Between(1, 1_000_000_000),
        "Test texts at most in rows of the modes 'certified' and 'windows', which cost hundreds of passes "
        "each.",
    ] = 100
    victims: Annotated[
        str | None,
        "Folder of the attacked and fine-tuned models, to share them between runs that differ only in "
        "what defends; None keeps them in the folder of the run.",
    ] = None
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        "Arithmetic of the evaluations; certificates in bfloat16 are conditional on its rounding.",
    ] = "float32"
    batch_size: Annotated[int, Between(1, 65_536), "Texts per forward pass."] = 64

    def validate(self) -> None:
        """Check that there are rows and seeds, and the attack's options."""
        self.attack_options()
        choose(defenses(self.smoothing, self.budgets), self.rows)
        require(bool(self.rows), "rows must name at least one row")
        require(bool(self.seeds), "seeds must name at least one seed")

    def attack_options(self) -> Options:
        """The options of the recipe.

        Raises:
            FuzzsmoothError: On an unknown recipe, an option that it does not have, or a bad value.
        """
        kind = type(recipe(self.recipe)).options_type
        return kind.from_mapping(self.attack, where=f"attack '{self.recipe}'")

    def attack_target(self) -> int:
        """The class index that the attack forces."""
        target: int = self.attack_options().to_mapping()["target"]
        return target


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
    check_target(splits.train, options.attack_target())
    with exclusive(out):
        _claim(options, splits, out)
        _run(options, splits, out, stages, command)
    return out


def _claim(options: ExperimentOptions, splits: Splits, out: Path) -> None:
    """Mark the folders of the run and of its victims."""
    data = {"train_sha256": splits.train.fingerprint, "test_sha256": splits.test.fingerprint}
    claim(out, options.to_mapping() | data, ExperimentOptions().to_mapping())
    victims = _victims(options, out)
    if victims != out:
        data = {"train_sha256": splits.train.fingerprint}
        with exclusive(victims):
            claim(victims, _victim_mapping(options) | data, _victim_mapping(ExperimentOptions()))


def _run(options: ExperimentOptions, splits: Splits, out: Path, stages: Stages, command: str) -> None:
    ledger = Ledger(out / RECORDS_FILE)
    rows = choose(defenses(options.smoothing, options.budgets), options.rows)
    facts: dict[str, Any] = {"models": {}}
    for seed in options.seeds:
        run = SeedRun(options, splits, _victims(options, out) / f"seed{seed}", seed, stages)
        attack = run.attack()
        facts |= {"attack": run.attack_record, "target": attack.target}
        for name, defense in rows.items():
            # Before each row, so that what was measured can be reported wherever the run ends.
            told = _settings(options, splits, facts, command) | {"unfinished": True}
            write_json(out / SETTINGS_FILE, told)
            _measure_row(name, defense, run, attack, ledger)
            facts["models"] |= run.known_fingerprints()
        facts["models"] |= run.fingerprints()
    write_json(out / SETTINGS_FILE, _settings(options, splits, facts, command))


def _victims(options: ExperimentOptions, out: Path) -> Path:
    return out if options.victims is None else Path(options.victims)


def _measure_row(name: str, defense: Defense, run: SeedRun, attack: AttackResult, ledger: Ledger) -> None:
    """Append the records of one row that are not there yet."""
    texts, size = _test_texts(run, attack, defense), chunk_size(defense.options)
    chunks = [texts[start : start + size] for start in range(0, len(texts), size)]
    # A chunk of which a kill has left a part is answered again as a whole; what is kept of it stays.
    missing = [
        chunk
        for chunk in chunks
        if any(record_key(run.seed, name, text.split, text.index) not in ledger for text in chunk)
    ]
    if not missing:
        return
    classifier, smoothed = run.victim(defense.victim), None
    if defense.options is not None:
        options = defense.options.replace(seed=run.seed)
        smoothed = SmoothedClassifier(classifier, options, run.references(defense.victim))
    with run.stages(f"seed {run.seed}: {name}") as counts:
        advance = as_advance(counts, sum(map(len, missing)))
        for chunk in missing:
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


def _test_texts(run: SeedRun, attack: AttackResult, defense: Defense) -> list[EvaluatedText]:
    """Every test text as it is, and every one not of the target class with the trigger in it."""
    certified = defense.options is not None and defense.options.mode != "frs"
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
