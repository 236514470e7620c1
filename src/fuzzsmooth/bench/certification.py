"""Certified accuracy side by side: the same base model, data, failure probability and number of copies.

Each base model is trained once, each text is certified once per row; a run that was stopped goes on.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from fuzzsmooth import models, training
from fuzzsmooth.bench.certification_rows import Base, CertificationRow, Shared, certification_row
from fuzzsmooth.bench.certified_records import CERTIFIED_RECORDS, CertifiedRecord, record_key
from fuzzsmooth.bench.marking import claim
from fuzzsmooth.bench.options import DataOptions
from fuzzsmooth.bench.provenance import shown, versions
from fuzzsmooth.bench.records import SETTINGS_FILE
from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.common.files import Ledger, write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import SEEDS, Between, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.data import Dataset, Splits, load_splits
from fuzzsmooth.data.telling import Tell, tell_rows, unheard
from fuzzsmooth.text import segmenter
from fuzzsmooth.training import FinetuneOptions, splits_for

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

DEFAULT_ROWS = (
    "rs-del:0.7",
    "rs-del:0.9",
    "ranmask:0.9",
    "deletion:0.7",
    "deletion:0.9",
    "deletion-early:0.9",
    "scattered",
    "windows-plain",
    "windows",
)


@dataclass(frozen=True, kw_only=True)
class CertificationOptions(DataOptions):
    """What is certified, and how."""

    model: Annotated[str, "The pre-trained model that all base models come from."] = "builtin:minilm"
    rows: Annotated[
        tuple[str, ...], "Rows of the table, in order; see :data:`fuzzsmooth.bench.catalog.KINDS`."
    ] = DEFAULT_ROWS
    finetune: Annotated[FinetuneOptions, "How the plain model is fine-tuned."] = field(
        default_factory=lambda: FinetuneOptions(epochs=3)
    )
    deletion: Annotated[
        FinetuneOptions,
        "How the models for deletion are fine-tuned, from the plain one, RS-Del's and ours alike; the "
        "rows set the rate.",
    ] = field(default_factory=lambda: FinetuneOptions(epochs=3, text_noise="delete", text_rate=0.9, copies=4))
    masking: Annotated[FinetuneOptions, "How those of RanMASK are, likewise."] = field(
        default_factory=lambda: FinetuneOptions(epochs=3, text_noise="mask", text_rate=0.9, copies=4)
    )
    windows: Annotated[FinetuneOptions, "How our model for windows is fine-tuned, from the plain one."] = (
        field(default_factory=lambda: FinetuneOptions(epochs=2, text_noise="windows", window=5))
    )
    held_out: Annotated[
        int,
        Between(1, 1_000_000_000),
        "Training texts that no model is trained on, to choose class offsets on.",
    ] = 300
    tolerance: Annotated[float, Between(0, 1), "How much accuracy on them class offsets may cost."] = 0.01
    draws: Annotated[int, Between(2, 1_000_000), "Copies of a text that is voted on."] = 1000
    alpha: Annotated[
        float, Between(0, 1, above=True, below=True), "Probability that a certificate is wrong, per text."
    ] = 0.001
    longest: Annotated[
        int, Between(1, 1_000), "Longest contiguous trigger that is asked about, in words."
    ] = 5
    seed: Annotated[int, Between(0, SEEDS), "Seed of training and draws."] = 0
    precision: Annotated[Literal["auto", "float32", "bfloat16"], "Arithmetic of the evaluations."] = "auto"
    batch_size: Annotated[int, Between(1, 65_536), "Texts per forward pass."] = 128

    def validate(self) -> None:
        """Check the rows, and that each model is fine-tuned for what it is for."""
        require(bool(self.rows), "rows must name at least one row")
        require(self.finetune.text_noise == "none", "finetune is the plain fine-tuning: leave out text_noise")
        require(self.deletion.text_noise == "delete", "deletion.text_noise must be 'delete'")
        require(self.masking.text_noise == "mask", "masking.text_noise must be 'mask'")
        require(
            self.windows.text_noise in ("windows", "delete"),
            "windows.text_noise must be 'windows' or 'delete'",
        )
        for row in self.rows:
            certification_row(row, self.shared)

    @property
    def shared(self) -> Shared:
        """What all rows share."""
        return Shared(
            finetune=self.finetune.replace(seed=self.seed),
            deletion=self.deletion.replace(seed=self.seed),
            masking=self.masking.replace(seed=self.seed),
            windows=self.windows.replace(seed=self.seed),
            draws=self.draws,
            alpha=self.alpha,
            longest=self.longest,
            seed=self.seed,
        )


def run_certification(
    options: CertificationOptions,
    out: Path,
    *,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
    command: str = "",
) -> Path:
    """Train and certify what is not done yet, and write records and settings.

    Args:
        options: The experiment.
        out: Folder of the run; one experiment per folder, to which rows may be added.
        stages: Progress display.
        tell: Told what was assumed of the data, and which rows were left out.
        command: The command line that started it, for the report.

    Returns:
        The folder, ready for :func:`fuzzsmooth.report.build_certification`.

    Raises:
        FuzzsmoothError: If the folder holds another experiment, or anything in the options does not fit.
    """
    data = _load(options)
    splits = data.splits
    tell_rows(tell, splits.train, splits.test)
    shas = {"train_sha256": splits.train.fingerprint, "test_sha256": splits.test.fingerprint}
    rows = [certification_row(name, options.shared) for name in options.rows]
    with exclusive(out):
        claim(out, options.to_mapping() | shas, CertificationOptions().to_mapping())
        ledger = Ledger(out / CERTIFIED_RECORDS)
        # First, so that what was measured can be reported wherever the run ends.
        write_json(out / SETTINGS_FILE, _settings(options, data, command))
        for row in rows:
            _certify_row(row, options, data, out, ledger, stages)
    return out


@dataclass(frozen=True)
class _Data:
    """The texts of a run; those that choose class offsets are never trained on."""

    splits: Splits
    held_out: Dataset


def _certify_row(
    row: CertificationRow,
    options: CertificationOptions,
    data: _Data,
    out: Path,
    ledger: Ledger,
    stages: Stages,
) -> None:
    """Append the records of one row that are not there yet."""
    missing = [index for index in range(len(data.splits.test)) if record_key(row.name, index) not in ledger]
    if not missing:
        return
    for base in row.bases:
        classifier = _made(base, options, data, out, stages)
    certify, words = row.build(classifier), segmenter("word")
    with stages(f"certify ({row.name})") as counts:
        for done, index in enumerate(missing, 1):
            example = data.splits.test.examples[index]
            began, before = time.perf_counter(), classifier.forward_count
            answer = certify(example.text)
            record = CertifiedRecord(
                row=row.name,
                index=index,
                label=example.label,
                prediction=answer.label,
                length=len(words.segment(example.text)),
                radii=answer.radii,
                draws=answer.draws,
                passes=classifier.forward_count - before,
                counts=answer.counts,
                p_lower=answer.p_lower,
                guarantee=answer.guarantee,
                guard=answer.guard,
                undecided=answer.undecided,
                seconds=time.perf_counter() - began,
            )
            ledger.append([record.to_json()])
            counts(done, len(missing))


def _made(
    base: Base, options: CertificationOptions, data: _Data, out: Path, stages: Stages
) -> HuggingFaceClassifier:
    """A base model, made when first needed and kept on disk."""
    output = out / "models" / base.name
    loading: dict[str, Any] = {
        "labels": data.splits.train.labels,
        "precision": options.precision,
        "batch_size": options.batch_size,
        "max_length": options.finetune.max_length,
    }
    if (output / "config.json").is_file():
        return models.load_classifier(str(output), **loading)
    start = options.model if base.start is None else str(out / "models" / base.start)
    classifier = models.load_classifier(
        start, num_labels=len(data.splits.train.labels), seed=options.seed, **loading
    )
    if isinstance(base.step, FinetuneOptions):
        with stages(f"fine-tune ({base.name})") as counts:
            return training.finetune(
                classifier, data.splits.train, base.step, output=output, progress=counts, resume=True
            )
    with stages(f"class offsets ({base.name})"):
        score = base.step(classifier, data.held_out)
        offsets = training.choose_offsets(score, len(classifier.labels), tolerance=options.tolerance)
    training.add_offsets(classifier, offsets)
    classifier.save(output)
    before, after = score(np.zeros_like(offsets)), score(offsets)
    write_json(
        output / "offsets.json",
        {"offsets": offsets.tolist(), "without": asdict(before), "with": asdict(after)},
    )
    return classifier


def _load(options: CertificationOptions) -> _Data:
    splits = load_splits(
        options.data,
        text_column=options.text_column,
        label_column=options.label_column,
        train_size=options.train_size,
    )
    splits = splits_for(options.model, splits)
    train, test = splits.train, splits.test
    if options.test_size is not None:
        test = test.sample(options.test_size, generator(0, "test-texts"))
    require(
        len(train) > 2 * options.held_out,
        f"{len(train)} training texts are too few to hold out {options.held_out}; set held_out lower",
    )
    chosen = generator(0, "held-out-texts").choice(len(train), size=options.held_out, replace=False)
    apart = set(chosen.tolist())
    return _Data(
        Splits(train.with_examples([one for place, one in enumerate(train) if place not in apart]), test),
        train.with_examples([one for place, one in enumerate(train) if place in apart]),
    )


def _settings(options: CertificationOptions, data: _Data, command: str) -> dict[str, Any]:
    train, test = data.splits.train, data.splits.test
    names = {"model": shown(options.model), "data": shown(options.data)}
    return {
        "version": VERSION,
        "labels": list(train.labels),
        "dataset": {
            "name": names["data"],
            "train": len(train),
            "held_out": len(data.held_out),
            "test": len(test),
            "train_sha256": train.fingerprint,
            "test_sha256": test.fingerprint,
        },
        "options": options.to_mapping() | names,
        "command": command,
        "versions": versions(),
    }
