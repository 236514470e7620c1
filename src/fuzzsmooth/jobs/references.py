"""The reference texts of a model that is searched: where they come from, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.data import check_source
from fuzzsmooth.data.telling import Tell, tell_rows, unheard
from fuzzsmooth.defenses import Defense
from fuzzsmooth.defenses.saved import REFERENCES_FILE, references_beside
from fuzzsmooth.engine.options import SearchedOptions
from fuzzsmooth.jobs.seen import is_seen, references_key, remember
from fuzzsmooth.models import resolve_model
from fuzzsmooth.search import References, SearchOptions, select_references

if TYPE_CHECKING:
    from fuzzsmooth.data import Splits
    from fuzzsmooth.models import Classifier
    from fuzzsmooth.search.flip_rates import FlipRates


_OTHER = "OTHER weights, so how far ordinary words pull is not known and what flips references is flagged"


@dataclass(frozen=True)
class Clean:
    """Clean labeled data to choose reference texts from.

    Attributes:
        source: As in :func:`fuzzsmooth.data.load_splits`.
        text_column: Name of its column with texts.
        label_column: Name of its column with labels.
    """

    source: str
    text_column: str = "text"
    label_column: str = "label"


def flip_rates(classifier: Classifier, references: References | None, options: Options) -> FlipRates:
    """An empty table of flip rates for a model, its references, and the unit of the options.

    Raises:
        FuzzsmoothError: If there are no references.
    """
    from fuzzsmooth.search.scan import Scanner
    from fuzzsmooth.text.units import segmenter

    require(isinstance(options, SearchedOptions), "flip rates of units are for defenses that search")
    assert isinstance(options, SearchedOptions)
    units = segmenter(options.unit, getattr(classifier, "tokenizer", None))
    # Flip rates are those of the transplant test, whatever the search of a defense rewards.
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

    clean: Clean | None = None
    texts: References | None = None
    origin: Path = Path()
    beside: str | None = None


def given_references(
    model: str, kind: type[Defense], options: Options, file: Path | None, clean: Clean | None
) -> GivenReferences:
    """Find out, before the model is loaded, where its reference texts come from.

    Args:
        model: The model.
        kind: The defense.
        options: Its options.
        file: A file of references, or None.
        clean: Clean data to choose them from, or None.

    Raises:
        FuzzsmoothError: If model, file or data are not there, both are given, or references are needed and
            none are to be had.
    """
    require(file is None or clean is None, "give --references or --clean, not both")
    resolve_model(model)
    if clean is not None:
        check_source(clean.source)
        return GivenReferences(clean=clean)
    texts = references_beside(model, options) if file is None else References.load(file)
    kind.check(options, texts)
    if file is not None:
        return GivenReferences(texts=texts, origin=file)
    return GivenReferences(texts=texts, origin=Path(model) / REFERENCES_FILE, beside=model)


def find_references(
    given: GivenReferences,
    classifier: Classifier,
    options: Options,
    *,
    witnessed: bool = True,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
) -> References | None:
    """The reference texts of a model: as given, or chosen from clean data.

    Args:
        given: Where they come from.
        classifier: The model.
        options: Those of the defense.
        witnessed: Whether those that are chosen get a witness, where the options ask for one.
        stages: Progress display.
        tell: Told what was read otherwise than it is written in clean data, and whose references they are.

    Raises:
        FuzzsmoothError: If they do not fit the model.
    """
    if given.clean is not None and isinstance(options, SearchedOptions):
        search = options.search if witnessed else options.search.replace(reward="transplant")
        return _select(classifier, given.clean, search, stages, tell)
    chosen = given.texts
    if chosen is None:
        return None
    chosen.check_classes(len(classifier.labels), str(given.origin))
    chosen = chosen.under(classifier.labels, str(given.origin))
    if given.beside is not None and isinstance(options, SearchedOptions) and options.fuzzing:
        _tell_origin(chosen, classifier, given.beside, tell)
    return chosen


def _tell_origin(chosen: References, classifier: Classifier, model: str, tell: Tell) -> None:
    """Say what the references beside the weights are; whoever wrote the folder has chosen them.

    Once for each, unless they belong to other weights; never of those that this user has chosen here.
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
    tell(
        f"the {len(chosen.texts)} reference texts ({counts}) come with the model {model} and were chosen "
        f"with {'these weights' if known else _OTHER}; whoever wrote that folder could have chosen texts "
        "that hide a backdoor, so if you did not fine-tune it yourself, give clean data of your own (--clean)"
    )


def _select(
    classifier: Classifier, clean: Clean, search: SearchOptions, stages: Stages, tell: Tell
) -> References:
    splits = _clean_splits(classifier, clean)
    tell_rows(tell, splits.train, splits.test)
    train, held_out = splits.train, splits.test
    with stages("references") as progress:
        return select_references(
            classifier,
            (train.texts, train.targets),
            search,
            held_out=(held_out.texts, held_out.targets),
            progress=progress,
            tell=tell,
        )


def _clean_splits(classifier: Classifier, clean: Clean) -> Splits:
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
