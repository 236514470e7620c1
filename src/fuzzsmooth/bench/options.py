"""What is measured on, and the options of an experiment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fuzzsmooth.attacks import ATTACKS, AttackOptions, Intensity, options_at
from fuzzsmooth.bench.rows import BenchRow, bench_row, check_shared
from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.training import FinetuneOptions

CLEAN_MODEL = "none"
"""The attack that is none: the model is clean, so that what a defense costs is measured."""

_CALIBRATION = 200


@dataclass(frozen=True, kw_only=True)
class DataOptions(Options):
    """The data that experiments are run on."""

    data: Annotated[str, "A data set as :func:`fuzzsmooth.data.load_splits` takes it."] = "builtin:reviews"
    text_column: Annotated[str, "Column of the texts."] = "text"
    label_column: Annotated[str, "Column of the labels."] = "label"
    train_size: Annotated[
        int | None, Between(1, 1_000_000_000), "Training texts at most, drawn at random; None for all."
    ] = None
    test_size: Annotated[
        int | None, Between(1, 1_000_000_000), "Test texts at most, drawn at random; None for all."
    ] = None


@dataclass(frozen=True, kw_only=True)
class ExperimentOptions(DataOptions):
    """What is attacked, how, and what defends."""

    model: Annotated[str, "The clean pre-trained model that is attacked."] = "builtin:minilm"
    test_data: Annotated[
        str | None,
        "Another data set of the same classes whose test texts are measured on, out of the domain of the "
        "training; None for those of the data.",
    ] = None
    attack: Annotated[str, "The attack; see 'fuzzsmooth list attacks'. 'none' leaves the model clean."] = (
        "ripple"
    )
    intensity: Annotated[Intensity, "How hard the attack tries: what its options are that are not given."] = (
        "default"
    )
    attack_options: Annotated[
        dict[str, Any], "Options of the attack, by name; those of its intensity otherwise."
    ] = field(default_factory=dict)
    finetune: Annotated[
        FinetuneOptions, "How the victims are fine-tuned on clean data; noise and seed are set per victim."
    ] = field(default_factory=lambda: FinetuneOptions(epochs=2))
    options: Annotated[
        dict[str, Any], "Options that rows share, by name; each defense takes those that it has."
    ] = field(default_factory=dict)
    rows: Annotated[tuple[str, ...], "Rows of the table, in order; see 'fuzzsmooth list rows'."] = (
        "undefended",
        "frs-kl",
        "frs-transplant",
        "frs",
        "windows",
        "deletion",
    )
    seeds: Annotated[tuple[int, ...], Between(0, SEEDS), "One complete run, attack included, per seed."] = (
        0,
    )
    certified_texts: Annotated[
        int,
        Between(1, 1_000_000_000),
        "Test texts at most in rows of proved defenses, which cost hundreds of passes each.",
    ] = 100
    calibration_size: Annotated[
        int | None,
        Between(0, 1_000_000),
        "Clean training texts that no victim is trained on, for the thresholds of defenses that need clean "
        "data; left out: 200, or a fifth of fewer texts, where a row is of such a defense; none elsewhere.",
    ] = None
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
        self.planting()
        require(bool(self.rows), "rows must name at least one row")
        check_shared(self.options)
        self.bench_rows()
        require(bool(self.seeds), "seeds must name at least one seed")

    def bench_rows(self, seed: int = 0) -> dict[str, BenchRow]:
        """The rows by name, in order.

        Raises:
            FuzzsmoothError: If one is unknown, or an option of one has a bad value.
        """
        return {name: bench_row(name, self.options, seed) for name in self.rows}

    def kept_back(self, texts: int) -> int:
        """How many of so many training texts are kept back for thresholds."""
        if self.calibration_size is not None:
            return self.calibration_size
        needed = any(row.defense.needs.clean_data for row in self.bench_rows().values())
        return min(_CALIBRATION, texts // 5) if needed else 0

    def planting(self) -> Options:
        """The options of the attack.

        Raises:
            FuzzsmoothError: On an unknown attack, an option that it does not have, or a bad value.
        """
        where = f"attack '{self.attack}'"
        if self.attack == CLEAN_MODEL:
            require(self.intensity == "default", "a clean model has no intensity")
            return AttackOptions.from_mapping(self.attack_options, where=where)
        kind = ATTACKS.get(self.attack)
        require(
            kind.goal != "forced answer",
            f"{where} is on models that write, and experiments are on classifiers; measure it with "
            "'fuzzsmooth evaluate-generation'",
        )
        return options_at(kind, self.intensity, self.attack_options, where=where)
