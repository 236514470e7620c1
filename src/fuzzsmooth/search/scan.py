"""Scanning texts: where their vulnerable segments are, as character spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.calibration import SHARE, NullDistribution
from fuzzsmooth.search.contexts import cut_contexts, lexicon_of, with_margins
from fuzzsmooth.search.flip_rates import FlipRates
from fuzzsmooth.search.in_context import InContextTest
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Units, run
from fuzzsmooth.search.references import References
from fuzzsmooth.search.text_search import SearchResult, search_text
from fuzzsmooth.search.transplant import TransplantTest
from fuzzsmooth.search.witness import TrustedReader
from fuzzsmooth.text.languages import AUTO
from fuzzsmooth.text.units import Segmentation, Segmenter


@dataclass(frozen=True)
class Span:
    """A flagged segment.

    Attributes:
        start: First character of the original text.
        end: One past the last character.
        text: That part of the text.
        score: Share of the contexts that it carries, or bounded divergence, in [0, 1].
    """

    start: int
    end: int
    text: str
    score: float


@dataclass(frozen=True)
class Scan:
    """Result of scanning one text.

    Attributes:
        label: Class index predicted for the text as received, without any defense.
        spans: Flagged segments in text order; adjacent flagged units form one span.
        units: Sorted indices of the flagged units.
        evaluations: Forward evaluations spent on the text.
        complete: False if the budget ran out before the search was through.
    """

    label: int
    spans: tuple[Span, ...]
    units: tuple[int, ...]
    evaluations: int
    complete: bool

    def to_json(self) -> dict[str, Any]:
        """The scan as JSON-serializable values."""
        return asdict(self)


def require_references(options: SearchOptions, references: References | None) -> None:
    """Check that there are references where the search needs them.

    Raises:
        FuzzsmoothError: If there are none.
    """
    if options.reward != "kl" and references is None:
        raise FuzzsmoothError(
            f"reward '{_told(options)}' needs clean reference texts; give references (a folder written by "
            "'fuzzsmooth finetune' brings its own) or clean data (--clean), choose reward 'kl', or turn "
            "fuzzing off"
        )


def settled_reward(options: SearchOptions, references: References | None) -> str:
    """The reward of a search; "auto" is settled by whether the references have a witness.

    Raises:
        FuzzsmoothError: If reward "combined" has no witness.
    """
    witnessed = references is not None and references.witness is not None
    if options.reward == "auto":
        return "combined" if witnessed else "transplant"
    if options.reward == "combined" and not witnessed:
        raise FuzzsmoothError(
            "reward 'combined' needs references with a witness, and these have none; write them anew with "
            "'fuzzsmooth finetune', give clean data (--clean), or choose reward 'transplant'"
        )
    return options.reward


class Scanner:
    """Finds vulnerable segments by Monte Carlo tree search.

    Args:
        classifier: The suspect model.
        options: The search options.
        segmenter: What a unit is.
        references: Clean reference texts; needed for reward "transplant".

    Raises:
        FuzzsmoothError: If references are needed and not given.
    """

    def __init__(
        self,
        classifier: Classifier,
        options: SearchOptions,
        segmenter: Segmenter,
        references: References | None = None,
    ) -> None:
        require_references(options, references)
        if references is not None and len(set(references.labels) & set(range(len(classifier.labels)))) < 2:
            raise FuzzsmoothError(
                "the reference texts are of fewer than two of the model's classes; give references of each"
            )
        self._classifier = classifier
        if options.language == AUTO and references is not None:
            options = options.replace(language=references.language)
        self._options = options
        self._segmenter = segmenter
        self._references = references
        self._contexts = cut_contexts(references.texts, references.labels, segmenter) if references else ()
        self._lexicon = lexicon_of(self._contexts)
        self._test: TransplantTest | None = None
        self._reader: TrustedReader | None = None

    def scan(
        self, texts: Sequence[str], seed: int, advance: Callable[[int], None] | None = None
    ) -> list[Scan]:
        """Scan whole texts.

        Args:
            texts: The texts as received.
            seed: Together with the text it determines the random choices.
            advance: Told how many texts have just been finished.
        """
        cut = [self._segmenter.segment(text) for text in texts]
        generators = [generator(seed, "search", text_key(text)) for text in texts]
        found = self.find([part.units for part in cut], generators, advance)
        return [_as_scan(part, result) for part, result in zip(cut, found, strict=True)]

    def find(
        self,
        texts: Sequence[Units],
        generators: Sequence[np.random.Generator],
        advance: Callable[[int], None] | None = None,
    ) -> list[SearchResult]:
        """Search unit sequences: what each search sees is its units and its generator, nothing else.

        The units may be what deletion has left of a text (Theorem 3: post-processing of the deleted text
        keeps the certificate).
        """
        if not texts:
            return []
        test, own = self._transplant_test(), self._in_context_test()
        sure = (
            [None] * len(texts) if own is None else own.reader.sure([self._segmenter.join(x) for x in texts])
        )
        suspects = () if self._references is None else self._references.suspects
        searches = [
            search_text(units, self._options, test, self._lexicon, source, own, label, suspects)
            for units, source, label in zip(texts, generators, sure, strict=True)
        ]
        return run(searches, self._classifier, self._segmenter.join, advance=advance)

    def warm_up(self) -> None:
        """Make what all searches share, so that the first one does not wait for it."""
        self._transplant_test()
        own = self._in_context_test()
        if own is not None:
            own.reader.warm_up()

    def _transplant_test(self) -> TransplantTest | None:
        """The test that all searches share, made when the first one needs it; None for reward "kl"."""
        if self._test is None and self._references is not None and self._options.reward != "kl":
            null, contexts, options = self._null(), self._contexts, self._options
            if null:
                contexts = with_margins(contexts, self._classifier, self._segmenter.join)
            self._test = TransplantTest(contexts, options.references, null, options.false_flags)
        return self._test

    def _in_context_test(self) -> InContextTest | None:
        """The test that all searches share, with its reader; None for the other rewards than "combined"."""
        options = self._options
        witness = None if self._references is None else self._references.witness
        if settled_reward(options, self._references) != "combined" or witness is None:
            return None
        # The name is whatever the file says; an encoder of a stranger could be sure of everything.
        require(
            witness.encoder == options.trusted,
            f"the references have a witness that reads by {witness.encoder!r:.200}, but the trusted one "
            f"is '{options.trusted}'; trust that one (option 'trusted'), choose reward 'transplant', or give "
            "--clean",
        )
        if self._reader is None:
            self._reader = TrustedReader(witness, options.neighbors)
        # Of all classes together: a class has too few texts for a quantile so near to 1.
        single = [score for one in self._null() for score in one.in_context]
        several = [score for one in self._null() for score in one.in_context_several]
        return InContextTest(self._reader, single, several, options.false_flags)

    def _null(self) -> tuple[NullDistribution, ...]:
        """The null distributions, if they are of this model: with another one, words act differently."""
        references = self._references
        own = references is not None and references.model == self._classifier.fingerprint
        return references.ordinary if own and references is not None else ()

    def flip_rates(self, threshold: float = SHARE) -> FlipRates:
        """Flip rates of single unit types on the same references.

        Args:
            threshold: Flip rate from which a type is flagged, in (0, 1].

        Raises:
            FuzzsmoothError: If the scanner has no references.
        """
        if not self._contexts:
            raise FuzzsmoothError(
                "flip rates of units need clean reference texts; give references or turn fuzzing off"
            )
        count = self._options.references
        return FlipRates(self._classifier, self._contexts, self._segmenter.join, threshold, count)


def _told(options: SearchOptions) -> str:
    return "transplant" if options.reward == "auto" else options.reward


def _as_scan(cut: Segmentation, found: SearchResult) -> Scan:
    scores = {index: area.score for area in found.areas for index in area.indices}
    spans: list[Span] = []
    previous = -2
    for index in sorted(scores):
        start, end = cut.spans[index]
        if index == previous + 1 and spans[-1].score == scores[index]:
            start = spans.pop().start
        spans.append(Span(start, end, cut.text[start:end], scores[index]))
        previous = index
    return Scan(found.label, tuple(spans), tuple(sorted(scores)), found.evaluations, found.complete)
