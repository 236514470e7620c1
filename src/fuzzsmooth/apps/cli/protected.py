"""The smoothed classifier of a command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fuzzsmooth.apps.cli.console import note
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.common.options import require

if TYPE_CHECKING:
    from fuzzsmooth.fuzz import References
    from fuzzsmooth.fuzz.vulnerability import VulnerabilityTable
    from fuzzsmooth.models import HuggingFaceClassifier
    from fuzzsmooth.smoothing import SmoothedClassifier, SmoothingOptions, TypeRates


_OTHER = "OTHER weights, so how far ordinary words pull is not known and what flips references is flagged"


@dataclass(frozen=True)
class Loading:
    """How a model is loaded; the names are those of :func:`fuzzsmooth.models.load_classifier`."""

    device: str
    precision: Literal["auto", "float32", "bfloat16"]
    batch_size: int
    max_length: int | None
    allow_bin: bool


@dataclass(frozen=True)
class Protected:
    """A smoothed classifier with what decides its answers.

    Attributes:
        smoothed: The smoothed classifier.
        classifier: The model under it.
        settings: JSON values that identify options, model, references and arithmetic.
        rates: Deletion rates per unit type, where a table was given.
    """

    smoothed: SmoothedClassifier
    classifier: HuggingFaceClassifier
    settings: dict[str, Any]
    rates: TypeRates | None = None


def protect(
    model: str,
    options: SmoothingOptions,
    loading: Loading,
    *,
    references: Path | None,
    clean: str | None,
    table: Path | None = None,
    fill: bool = False,
    quiet: bool = False,
) -> Protected:
    """Load a model and smooth it.

    Args:
        model: As in :func:`fuzzsmooth.models.load_classifier`.
        options: The smoothing options.
        loading: How to load it.
        references: A references file; by default the one beside the weights of a local folder.
        clean: Clean labeled data to choose references from instead.
        table: A file with flip rates of unit types, for deletion rates per type.
        fill: Whether to test types that are not in it, and to add them.
        quiet: Show no progress.

    Raises:
        FuzzsmoothError: If anything is missing or does not fit.
    """
    from fuzzsmooth.models import load_classifier
    from fuzzsmooth.smoothing import SmoothedClassifier, TypeRates
    from fuzzsmooth.smoothing.noisy import NoisyHuggingFaceClassifier

    require(references is None or clean is None, "give --references or --clean, not both")
    classifier = load_classifier(model, **asdict(loading))
    chosen = find_references(model, classifier, options, references, clean, quiet=quiet)
    rates = None
    if table is not None:
        require(fill or table.is_file(), f"there is no table {table}; build it with 'fuzzsmooth table build'")
        found = flip_rates(classifier, chosen, options)
        found.keep_in(table)
        rates = TypeRates(found, fill=fill)
    smoothed = SmoothedClassifier(NoisyHuggingFaceClassifier(classifier), options, chosen, rates=rates)
    settings: dict[str, Any] = {
        "options": options.to_mapping(),
        "model": classifier.fingerprint,
        "precision": classifier.precision,
        "references": asdict(chosen) if chosen else None,
    }
    if rates is not None:
        settings["rates"] = rates.settings()
    return Protected(smoothed, classifier, settings, rates)


def flip_rates(
    classifier: HuggingFaceClassifier, references: References | None, options: SmoothingOptions
) -> VulnerabilityTable:
    """An empty table of flip rates for a model, its references, and the unit of the options.

    Raises:
        FuzzsmoothError: If there are no references.
    """
    from fuzzsmooth.fuzz.scan import Scanner
    from fuzzsmooth.text.units import segmenter

    units = segmenter(options.unit, classifier.tokenizer)
    # Flip rates are those of the transplant test, whatever the search of a mode rewards.
    search = options.search if references is not None else options.search.replace(reward="kl")
    return Scanner(classifier, search, units, references).table()


def find_references(
    model: str,
    classifier: HuggingFaceClassifier,
    options: SmoothingOptions,
    file: Path | None,
    clean: str | None,
    *,
    quiet: bool,
) -> References | None:
    """The reference texts of a model: of a file, chosen from clean data, or those beside the weights.

    Raises:
        FuzzsmoothError: If they do not fit the model.
    """
    from fuzzsmooth.fuzz import References
    from fuzzsmooth.smoothing import REFERENCES_FILE, references_beside

    if clean is not None:
        return _select(classifier, clean, options.search.references, Display(quiet))
    chosen = references_beside(model, options) if file is None else References.load(file)
    if chosen is None:
        return None
    chosen.check_classes(len(classifier.labels), str(file or Path(model) / REFERENCES_FILE))
    if file is None and options.fuzzing:
        _tell_origin(chosen, classifier, model)
    return chosen


def _tell_origin(chosen: References, classifier: HuggingFaceClassifier, model: str) -> None:
    """Say what the references beside the weights are; whoever wrote the folder has chosen them."""
    counts = ", ".join(
        f"{chosen.labels.count(index)} of '{name}'" for index, name in enumerate(classifier.labels)
    )
    known = chosen.model == classifier.fingerprint
    note(
        f"the {len(chosen.texts)} reference texts ({counts}) come with the model {model} and were chosen "
        f"with {'these weights' if known else _OTHER}; whoever wrote that folder could have chosen texts "
        "that hide a backdoor, so if you did not fine-tune it yourself, give clean data of your own (--clean)"
    )


def _select(classifier: HuggingFaceClassifier, clean: str, per_class: int, display: Display) -> References:
    from fuzzsmooth.data import load_splits
    from fuzzsmooth.fuzz import References

    builtin = clean.startswith("builtin:")
    train = load_splits(clean, labels=None if builtin else classifier.labels).train
    require(
        len(train.labels) == len(classifier.labels),
        f"{clean} has {len(train.labels)} classes, but the model has {len(classifier.labels)}",
    )
    with display.counts("references") as progress:
        return References.select(classifier, train.texts, train.targets, per_class, progress=progress)
