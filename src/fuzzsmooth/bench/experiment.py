"""An experiment end to end: attack, fine-tune the victims, defend, record every text.

Everything is kept under one folder and nothing there is computed twice: a run that was stopped goes on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.attacks import Planted, check_target, wanted_target
from fuzzsmooth.bench.aiming import known_aims
from fuzzsmooth.bench.marking import claim
from fuzzsmooth.bench.measure import EvaluatedText, radii_by_threat, text_record
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.oracle import OracleFrs
from fuzzsmooth.bench.provenance import shown, versions
from fuzzsmooth.bench.records import CLEAN, RECORDS_FILE, SETTINGS_FILE, record_key
from fuzzsmooth.bench.rows import BenchRow
from fuzzsmooth.bench.stages import Stages, as_advance, silent_stages
from fuzzsmooth.bench.victims import SeedRun, victim_name
from fuzzsmooth.common.files import Ledger, write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.data import Dataset, Splits, align_splits, load_splits
from fuzzsmooth.data.stratify import keep_back, stratified_indices
from fuzzsmooth.data.telling import Tell, tell_rows, unheard
from fuzzsmooth.defenses import Defense
from fuzzsmooth.training import splits_for


def run_experiment(
    options: ExperimentOptions,
    out: Path,
    *,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
    command: str = "",
) -> Path:
    """Run what is not done yet, and write records and settings for the report.

    Args:
        options: The experiment.
        out: Folder of the run; one experiment per folder.
        stages: Progress display.
        tell: Told what was assumed of the data, and which rows were left out.
        command: The command line that started it, for the report.

    Returns:
        The folder, ready for :func:`fuzzsmooth.report.build_report`.

    Raises:
        FuzzsmoothError: If the folder holds another experiment, or anything in the options does not fit.
    """
    splits, held_out = experiment_data(options)
    tell_rows(tell, splits.train, splits.test)
    wanted = wanted_target(options.planting())
    if wanted is not None:
        check_target(splits.train, wanted)
    with exclusive(out):
        _claim(options, splits, out)
        _run(options, splits, held_out, out, stages, tell, command)
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


def _run(
    options: ExperimentOptions,
    splits: Splits,
    held_out: Dataset,
    out: Path,
    stages: Stages,
    tell: Tell,
    command: str,
) -> None:
    ledger = Ledger(out / RECORDS_FILE)
    facts: dict[str, Any] = {"models": {}, "warnings": {}}
    for seed in options.seeds:
        run = SeedRun(options, splits, held_out, _victims(options, out) / f"seed{seed}", seed, stages)
        attack = run.aimed()
        facts |= {"attack": run.attack_record, "aims": known_aims(_victims(options, out))}
        facts.setdefault("target", attack.target)
        for row in options.bench_rows(seed).values():
            # Before each row, so that what was measured can be reported wherever the run ends.
            told = _settings(options, splits, facts, command) | {"unfinished": True}
            write_json(out / SETTINGS_FILE, told)
            measure_row(row, run, attack, ledger)
            facts["models"] |= run.known_fingerprints()
            where = f"seed {seed}, {row.name}"
            for sentence in run.warnings(row):
                facts["warnings"].setdefault(where, []).append(sentence)
                tell(f"{where}: {sentence}")
        facts["models"] |= run.fingerprints()
    write_json(out / SETTINGS_FILE, _settings(options, splits, facts, command))


def victim_folder(options: ExperimentOptions, out: Path, row: BenchRow, seed: int) -> Path:
    """Where the victim of a row is, once the row has been measured."""
    return _victims(options, out) / f"seed{seed}" / victim_name(row.victim)


def _victims(options: ExperimentOptions, out: Path) -> Path:
    return out if options.victims is None else Path(options.victims)


def measure_row(row: BenchRow, run: SeedRun, attack: Planted, ledger: Ledger) -> None:
    """Append the records of one row that are not there yet.

    Args:
        row: The row.
        run: The attack and the victims of a seed.
        attack: What :meth:`SeedRun.attack` gives.
        ledger: The records of the run.

    Raises:
        FuzzsmoothError: If a model cannot be made, or the defense refuses it.
    """
    texts = _test_texts(run, attack, row)
    keys = [record_key(run.seed, row.name, text.split, text.index) for text in texts]
    if all(key in ledger for key in keys):
        return
    defended = run.defended(row)
    if isinstance(defended, OracleFrs):
        defended.tell(texts)
    # What a kill can lose, some seconds on a processor. A chunk of which a kill has left a part is answered
    # again as a whole, as the rounding of a batch may depend on where it is cut; what is kept of it stays.
    proved = defended.guarantee == "proved"
    size = defended.together(certify=proved)
    chunks = [range(start, min(start + size, len(texts))) for start in range(0, len(texts), size)]
    missing = [chunk for chunk in chunks if any(keys[index] not in ledger for index in chunk)]
    with run.stages(f"seed {run.seed}: {row.name}") as counts:
        advance = as_advance(counts, sum(map(len, missing)))
        for chunk in missing:
            began = time.perf_counter()
            # The answer that users get: a proved one comes with its proof, any other without a certificate.
            answers = defended.answer([texts[index].text for index in chunk], certify=proved)
            seconds = (time.perf_counter() - began) / len(chunk)
            radii = {} if proved else _conditional_radii(defended, texts, chunk)
            ledger.append(
                text_record(run.seed, row.name, defended, texts[index], answer, seconds, radii.get(index))
                for index, answer in zip(chunk, answers, strict=True)
            )
            advance(len(chunk))


def _conditional_radii(
    defended: Defense, texts: Sequence[EvaluatedText], chunk: range
) -> dict[int, dict[str, int]]:
    """Radii of the clean texts, where the certificates of a defense are conditional: by index."""
    wanted = [index for index in chunk if texts[index].split == CLEAN]
    if defended.guarantee != "conditional" or not wanted:
        return {}
    answers = defended.answer([texts[index].text for index in wanted], certify=True)
    return {
        index: radii_by_threat(answer.certificates) for index, answer in zip(wanted, answers, strict=True)
    }


def _test_texts(run: SeedRun, attack: Planted, row: BenchRow) -> list[EvaluatedText]:
    """Every test text as it is, and every one that the trigger acts on, not of the target class, with it."""
    rows = list(enumerate(run.splits.test))
    if row.defense.guarantee == "proved":  # which cost more: some of each class, the same for all rows
        count = min(run.options.certified_texts, len(rows))
        draw = generator(0, "certified texts")
        rows = [rows[index] for index in stratified_indices(run.splits.test.targets, count, draw)]
    clean = [EvaluatedText("clean", index, example.text, example.label) for index, example in rows]
    triggered = []
    for index, example in rows:
        if example.label != attack.target and attack.trigger.acts_on(example.text):
            planted = attack.trigger.apply(example.text, generator(run.seed, "test-trigger", index))
            triggered.append(
                EvaluatedText("triggered", index, planted.text, example.label, planted.spans or ())
            )
    return clean + triggered


def experiment_data(options: ExperimentOptions) -> tuple[Splits, Dataset]:
    """The data, and the clean texts that are kept back from training for thresholds.

    Raises:
        FuzzsmoothError: As :func:`fuzzsmooth.data.load_splits`, or if classes do not fit together.
    """
    splits = load_splits(
        options.data,
        text_column=options.text_column,
        label_column=options.label_column,
        train_size=options.train_size,
        test_size=options.test_size,
    )
    if options.test_data is not None:
        splits = Splits(splits.train, _other_test(options, options.test_data, splits.train))
    splits = splits_for(options.model, splits)
    size = options.kept_back(len(splits.train))
    train, held_out = (
        keep_back(splits.train, size) if size else (splits.train, splits.train.with_examples([]))
    )
    return Splits(train, splits.test), held_out


def _other_test(options: ExperimentOptions, source: str, train: Dataset) -> Dataset:
    """The test texts of another data set, under the classes of the training data."""
    other = load_splits(
        source,
        text_column=options.text_column,
        label_column=options.label_column,
        test_size=options.test_size,
    )
    return align_splits(other, train.labels, f"that is trained on {train.name}").test


def _victim_mapping(options: ExperimentOptions) -> dict[str, Any]:
    """The options that decide what the victims are."""
    mapping = options.to_mapping()
    return {name: mapping[name] for name in ("model", "attack", "intensity", "attack_options", "finetune")}


def _settings(
    options: ExperimentOptions, splits: Splits, facts: Mapping[str, Any], command: str
) -> dict[str, Any]:
    train, test = splits.train, splits.test
    return {
        "version": VERSION,
        "target": facts["target"],
        **({"aims": facts["aims"]} if facts["aims"] else {}),
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
        **({"warnings": facts["warnings"]} if facts["warnings"] else {}),
        "options": _shown_options(options),
        "seeds": list(options.seeds),
        "command": command,
        "versions": versions(),
    }


def _shown_options(options: ExperimentOptions) -> dict[str, Any]:
    names = ("model", "data", "test_data", "victims")
    places = {name: getattr(options, name) for name in names}
    return options.to_mapping() | {name: value and shown(value) for name, value in places.items()}
