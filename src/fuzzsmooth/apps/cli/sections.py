"""What several commands take: where texts, clean data and models come from. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from fuzzsmooth.apps.cli.flags import defenses, options
from fuzzsmooth.apps.cli.options_as_flags import Flag, flags_of, union
from fuzzsmooth.common.options import Options, described, require

if TYPE_CHECKING:
    from fuzzsmooth.data import Splits
    from fuzzsmooth.jobs.references import Clean


@dataclass(frozen=True, kw_only=True)
class Columns(Options):
    """Where texts and labels are in a file."""

    text_column: Annotated[str, "Column of the texts."] = "text"
    label_column: Annotated[str, "Column of the labels."] = "label"
    strict: Annotated[bool, "Stop at the first bad row; otherwise it is reported and left out."] = False


@dataclass(frozen=True, kw_only=True)
class Reading(Columns):
    """How texts that are asked about are read."""

    stdin_format: Annotated[Literal["txt", "csv", "tsv", "jsonl"], "How to read standard input."] = "txt"


@dataclass(frozen=True, kw_only=True)
class TrainingData(Columns):
    """How labeled data is read."""

    train_size: Annotated[int | None, "Training texts at most."] = None
    test_size: Annotated[int | None, "Test texts at most."] = None

    def load(self, source: str, *, seed: int = 0) -> Splits:
        """The data as its columns say, with what was left out told.

        Raises:
            FuzzsmoothError: If it cannot be read.
        """
        from fuzzsmooth.data import load_splits

        return load_splits(source, **self.to_mapping(), seed=seed)


@dataclass(frozen=True, kw_only=True)
class ReferenceTexts(Options):
    """Where the clean texts of the search come from."""

    references: Annotated[
        str | None, "File of clean reference texts, as finetune writes them beside a model."
    ] = None
    clean: Annotated[
        str | None, "Clean labeled data to choose reference texts from, where the model has none."
    ] = None
    clean_text_column: Annotated[
        str | None, "Column of the texts of --clean, if it is not --text-column."
    ] = None
    clean_label_column: Annotated[
        str | None, "Column of the labels of --clean, if it is not --label-column."
    ] = None
    audit: Annotated[
        str | None,
        "Folder of an audit; what it found is tested first in every text, and is believed in nothing.",
    ] = None

    def validate(self) -> None:
        """Check that columns come with data."""
        require(
            self.clean is not None or (self.clean_text_column is None and self.clean_label_column is None),
            "--clean-text-column and --clean-label-column name columns of --clean; give it too",
        )

    def data(self, columns: Columns) -> Clean | None:
        """The clean data, in the columns of the input where no others are named; None without."""
        from fuzzsmooth.jobs.references import Clean

        if self.clean is None:
            return None
        return Clean(
            self.clean,
            self.clean_text_column or columns.text_column,
            self.clean_label_column or columns.label_column,
        )


READING = options(Reading, "Input")
COLUMNS = options(Columns, "Input")
TRAINING_DATA = options(TrainingData, "Input")
REFERENCES = options(ReferenceTexts, "Search")
MACHINE = options("fuzzsmooth.jobs.loading:Machine", "Model")
THREADS = options("fuzzsmooth.jobs.loading:Machine", "Model", only=("threads",))
MODEL = options("fuzzsmooth.jobs.loading:Loading", "Model")
ENGINE = options("fuzzsmooth.jobs.engines:EngineOptions", "Engine")
ASKED = (READING, defenses, REFERENCES, MODEL, ENGINE)
"""What a command takes that asks a defended model."""

ATTACK = "attack"
"""The group of :func:`attacks`."""


def attacks() -> list[Flag]:
    """The flags of all registered attacks; those that take any trigger have the flags of all triggers."""
    from fuzzsmooth.attacks import ATTACKS, TRIGGERS

    triggers = union({name: flags_of(kind, ATTACK) for name, kind in TRIGGERS.all().items()})
    nested = [replace(flag, path=(_NESTED, *flag.path), paths=()) for flag in triggers]
    kinds = {}
    for name, kind in ATTACKS.all().items():
        own = [option.name for option in described(kind.options_type)]
        flags = flags_of(kind.options_type, ATTACK)
        # A target may be named as a class of the data.
        kinds[name] = [flag for flag in flags if flag.path != ("target",)] + nested * (_NESTED in own)
    return union(kinds)


_NESTED = "trigger_options"
