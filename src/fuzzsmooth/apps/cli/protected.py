"""The smoothed classifier of a command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.apps.cli.console import note
from fuzzsmooth.apps.cli.inputs import CleanData, tell_rows
from fuzzsmooth.apps.cli.loading import Loading, check_inputs
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.seen import is_seen, references_key, remember
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name

if TYPE_CHECKING:
    from fuzzsmooth.data import Splits
    from fuzzsmooth.engine import SmoothedClassifier, SmoothingOptions, TypeRates
    from fuzzsmooth.models import HuggingFaceClassifier
    from fuzzsmooth.search import References
    from fuzzsmooth.search.flip_rates import FlipRates


_OTHER = "OTHER weights, so how far ordinary words pull is not known and what flips references is flagged"


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
    clean: CleanData | None,
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
    require(
        table is None or fill or table.is_file(),
        f"there is no table {table}; build it with 'fuzzsmooth table build'",
    )
    given = given_references(model, options, references, clean)  # torch is not imported before
    from fuzzsmooth.engine import SmoothedClassifier, TypeRates

    classifier = loading.load(model)
    chosen = find_references(given, classifier, options, quiet=quiet)
    rates = None
    if table is not None:
        found = flip_rates(classifier, chosen, options)
        found.keep_in(table)
        rates = TypeRates(found, fill=fill)
    smoothed = SmoothedClassifier(classifier, options, chosen, rates=rates)
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
) -> FlipRates:
    """An empty table of flip rates for a model, its references, and the unit of the options.

    Raises:
        FuzzsmoothError: If there are no references.
    """
    from fuzzsmooth.search.scan import Scanner
    from fuzzsmooth.text.units import segmenter

    units = segmenter(options.unit, classifier.tokenizer)
    # Flip rates are those of the transplant test, whatever the search of a mode rewards.
    search = options.search if references is not None else options.search.replace(reward="kl")
    return Scanner(classifier, search, units, references).flip_rates()


@dataclass(frozen=True)
class GivenReferences:
    """Where the reference texts of a model come from.

    Attributes:
        clean: Clean labeled data to choose them from, or None.
        texts: The references themselves, where they need not be chosen; None if there are none.
        origin: The file they were read from.
        beside: The model in whose folder they were, where they came with it.
    """

    clean: CleanData | None = None
    texts: References | None = None
    origin: Path = Path()
    beside: str | None = None


def given_references(
    model: str, options: SmoothingOptions, file: Path | None, clean: CleanData | None
) -> GivenReferences:
    """Find out, before the model is loaded, where its reference texts come from.

    Args:
        model: The model.
        options: The smoothing options.
        file: A file of references, or None.
        clean: Clean data to choose them from, or None.

    Raises:
        FuzzsmoothError: If model, file or data are not there, both are given, or references are needed and
            none are to be had.
    """
    from fuzzsmooth.engine import REFERENCES_FILE, references_beside
    from fuzzsmooth.engine.beside import check_references
    from fuzzsmooth.search import References

    require(file is None or clean is None, "give --references or --clean, not both")
    check_inputs(model=model, data=None if clean is None else clean.source)
    if clean is not None:
        return GivenReferences(clean=clean)
    texts = references_beside(model, options) if file is None else References.load(file)
    check_references(options, texts)
    if file is not None:
        return GivenReferences(texts=texts, origin=file)
    return GivenReferences(texts=texts, origin=Path(model) / REFERENCES_FILE, beside=model)


def find_references(
    given: GivenReferences, classifier: HuggingFaceClassifier, options: SmoothingOptions, *, quiet: bool
) -> References | None:
    """The reference texts of a model: as given, or chosen from clean data.

    Raises:
        FuzzsmoothError: If they do not fit the model.
    """
    if given.clean is not None:
        return _select(classifier, given.clean, options.search.references, Display(quiet))
    chosen = given.texts
    if chosen is None:
        return None
    chosen.check_classes(len(classifier.labels), str(given.origin))
    chosen = chosen.under(classifier.labels, str(given.origin))
    if given.beside is not None and options.fuzzing:
        _tell_origin(chosen, classifier, given.beside)
    return chosen


def _tell_origin(chosen: References, classifier: HuggingFaceClassifier, model: str) -> None:
    """Say what the references beside the weights are; whoever wrote the folder has chosen them.

    Once for each, unless they belong to other weights; never of those that this user's ``finetune`` chose.
    """
    key = references_key(chosen, classifier.fingerprint)
    known = chosen.model == classifier.fingerprint
    if known and is_seen(key):
        return
    remember(key)
    counts = ", ".join(
        f"{chosen.labels.count(index)} of '{short_name(name, 60)}'"
        for index, name in enumerate(classifier.labels)
    )
    note(
        f"the {len(chosen.texts)} reference texts ({counts}) come with the model {model} and were chosen "
        f"with {'these weights' if known else _OTHER}; whoever wrote that folder could have chosen texts "
        "that hide a backdoor, so if you did not fine-tune it yourself, give clean data of your own (--clean)"
    )


def _select(
    classifier: HuggingFaceClassifier, clean: CleanData, per_class: int, display: Display
) -> References:
    from fuzzsmooth.search import References

    splits = _clean_splits(classifier, clean)
    tell_rows(splits.train, splits.test)
    train = splits.train
    with display.counts("references") as progress:
        return References.select(classifier, train.texts, train.targets, per_class, progress=progress)


def _clean_splits(classifier: HuggingFaceClassifier, clean: CleanData) -> Splits:
    """Clean data under the classes of the model."""
    from fuzzsmooth.data import align_splits, load_splits

    if clean.source.startswith("builtin:"):
        return align_splits(load_splits(clean.source), classifier.labels, "of this command")
    return load_splits(
        clean.source,
        labels=classifier.labels,
        text_column=clean.text_column,
        label_column=clean.label_column,
    )
