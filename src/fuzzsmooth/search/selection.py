"""References for a search, and for reward "combined" a witness and thresholds, from clean data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.calibration import NullDistribution
from fuzzsmooth.search.combined import strongest_drops
from fuzzsmooth.search.contexts import cut_contexts, lexicon_of
from fuzzsmooth.search.in_context import InContextTest
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import run
from fuzzsmooth.search.references import References
from fuzzsmooth.search.witness import TrustedReader, train_witness
from fuzzsmooth.text.languages import settled
from fuzzsmooth.text.units import segmenter

_UNREAD = 0.2  # share of tokens from which an encoder does not read a language; German by MiniLM: .003
_MEASURED = 100  # clean texts per class whose segments set the threshold of the in-context test

Labeled = tuple[Sequence[str], Sequence[int]]
"""Texts and their class indices."""


def select_references(
    classifier: Classifier,
    clean: Labeled,
    options: SearchOptions,
    *,
    held_out: Labeled = ((), ()),
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> References:
    """Choose references, and learn from clean data what reward "combined" needs.

    Args:
        classifier: The model that will be protected.
        clean: Clean labeled texts, such as the fine-tuning data.
        options: How texts will be searched.
        held_out: Clean labeled texts that nothing was trained on. The thresholds of the witness and of the
            test in place come from them; where there are none, from ``clean``, of which a model that was
            trained on it is too sure: then more texts are searched than had to be. That of the transplant
            test comes from texts of ``clean`` that the model reads rightly.
        progress: Told (steps done, steps in all).
        tell: Told where there is no witness, because the trusted encoder of reward "auto" is missing.

    Raises:
        FuzzsmoothError: If a class has no correctly classified text, or the trusted encoder of reward
            "combined" is missing.
    """
    combined = options.reward in ("auto", "combined")
    steps = len(classifier.labels) + combined
    options = options.replace(language=settled(options.language, clean[0]))
    references = References.select(
        classifier,
        *clean,
        options.references,
        language=options.language,
        progress=lambda done, _: progress(done, steps),
    )
    if not combined:
        return references
    from fuzzsmooth.models.text_encoder import load_encoder

    try:
        encoder = load_encoder(options.trusted)
    except MissingExtraError as error:
        if options.reward == "combined":
            raise
        tell(
            f"the references have no witness, so triggers that act in some texts only are not found: {error}"
        )
        return references
    unread = encoder.unread(clean[0][:_MEASURED])
    if unread > _UNREAD:
        told = (
            f"the trusted encoder '{options.trusted}' does not know {unread:.0%} of the clean texts' tokens"
        )
        if options.reward == "auto":
            tell(
                f"{told}, so the references have no witness, and triggers that act in some texts only are "
                "not found; trust one of this language (option 'trusted')"
            )
            return references
        tell(f"{told}, so little is to be had of it; trust one of this language (option 'trusted')")
    classes = len(classifier.labels)
    witness = train_witness(
        encoder,
        options.trusted,
        *clean,
        classes,
        wrong=options.cleared,
        held_out=_read_rightly(classifier, held_out),
    )
    measured = held_out[0] if len(held_out[0]) else _first_of_each(clean, classes)
    reader = TrustedReader(witness, options.neighbors)
    ordinary = _with_drops(classifier, reader, measured, references, options)
    progress(steps, steps)
    return replace(references, ordinary=ordinary, witness=witness)


def _first_of_each(clean: Labeled, classes: int) -> list[str]:
    """The first texts of each class."""
    return [
        text
        for label in range(classes)
        for text in [text for text, truth in zip(*clean, strict=True) if truth == label][:_MEASURED]
    ]


def _read_rightly(classifier: Classifier, labeled: Labeled) -> Labeled:
    """Those of some texts that the model reads rightly."""
    texts, targets = list(labeled[0]), list(labeled[1])
    if not texts:
        return (), ()
    found = classifier.probabilities(texts).argmax(axis=1).tolist()
    kept = [index for index, label in enumerate(found) if label == targets[index]]
    return [texts[index] for index in kept], [targets[index] for index in kept]


def _with_drops(
    classifier: Classifier,
    reader: TrustedReader,
    texts: Sequence[str],
    references: References,
    options: SearchOptions,
) -> tuple[NullDistribution, ...]:
    """The null distributions with the largest scores of the in-context test in each of some clean texts."""
    words = segmenter("word")
    lexicon = lexicon_of(cut_contexts(references.texts, references.labels, words))
    test = InContextTest(reader, (), (), options.false_flags)
    searches = [
        strongest_drops(
            words.segment(text).units, test, options, lexicon, generator(0, "in-context null", index), sure
        )
        for index, (text, sure) in enumerate(zip(texts, reader.sure(texts), strict=True))
    ]
    found = run(searches, classifier, words.join)
    return tuple(
        replace(
            null,
            in_context=_increasing([single for label, single, _ in found if label == own]),
            in_context_several=_increasing([several for label, _, several in found if label == own]),
        )
        for own, null in enumerate(references.ordinary)
    )


def _increasing(scores: Sequence[float]) -> tuple[float, ...]:
    return tuple(sorted(round(score, 4) for score in scores))
