"""What the defenses that ask a classifier about randomized or ablated texts have in common.

A subclass says how a text is randomized (:meth:`Randomized.rates`) and what its answers give
(:meth:`Randomized.voted`, :meth:`Randomized.certified`). Draws are addressed, so an answer does not depend on
what else is asked about, and predictions ask the same function as certificates.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fuzzsmooth.certify import Certificate, vote_error
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.common.texts import checked_texts
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import Advance, Defense, truncated_by
from fuzzsmooth.engine.certificates import Issuer, remarked
from fuzzsmooth.engine.deciding import Unsure
from fuzzsmooth.engine.early_vote import early_votes
from fuzzsmooth.engine.evidence import Evidence
from fuzzsmooth.engine.fuzzers import Fuzzer, Units
from fuzzsmooth.engine.options import EngineOptions, NoisyOptions, SearchedOptions
from fuzzsmooth.engine.recheck import CertificateSampler, in_float32
from fuzzsmooth.engine.sampler import Plan, Sampler, read_alike
from fuzzsmooth.models.protocol import (
    Classifier,
    WeightNoise,
    with_noise,
)
from fuzzsmooth.noise.text import Rates, TextKernel, text_kernel, uniform_rates
from fuzzsmooth.search.references import References
from fuzzsmooth.search.scan import Scan, Scanner, require_references
from fuzzsmooth.text.units import Segmenter, segmenter


@dataclass(frozen=True)
class Received:
    """A text as received.

    Attributes:
        plan: Its units, and the rate of each.
        truncated: Whether it is longer than the model reads.
        scan: What a search of it found, where one decides the rates.
    """

    plan: Plan
    truncated: bool
    scan: Scan | None = None


class Randomized(Defense):
    """Base of the defenses that vote over draws, or ask about deletions in turn.

    Args:
        classifier: The suspect classifier, as :func:`fuzzsmooth.load_classifier` gives it; any callable
            wrapped in :class:`fuzzsmooth.CallableClassifier` will do where there is no parameter noise.
        options: The options, or a mapping of their names to values.
        references: Clean reference texts, where the options search.

    Raises:
        FuzzsmoothError: If parameter noise is asked for and the classifier has no parameters here, the search
            needs references and has none, or the classifier may answer by chance where that is no use.
    """

    options: EngineOptions
    shares_copies: ClassVar[bool] = False
    """Whether draw k of every text is answered by the k-th noisy copy of the model; otherwise each draw has
    noise of its own."""

    def __init__(
        self,
        classifier: Classifier,
        options: EngineOptions | Mapping[str, Any],
        references: References | None = None,
    ) -> None:
        super().__init__(classifier, options, references)
        self.check_classifier()
        sigma = self.options.sigma if isinstance(self.options, NoisyOptions) else 0.0
        layers = self.options.top_layers if isinstance(self.options, NoisyOptions) else None
        shared = self.shares_copies or self.fixed_copies is not None
        self.noise = WeightNoise(sigma, layers, shared) if sigma > 0 else None
        if self.noise is not None:
            self.classifier = with_noise(classifier)
        self.segmenter: Segmenter = self.cutting()
        self._build()

    @property
    def fixed_copies(self) -> int | None:
        """How many noisy copies of the model answer all draws, see :class:`Sampler`; by default no number."""
        return None

    def cutting(self) -> Segmenter:
        """What cuts a text into units."""
        return segmenter(self.options.unit, getattr(self.classifier, "tokenizer", None))

    @classmethod
    def check(cls, options: Any, references: References | None) -> None:
        """See :meth:`fuzzsmooth.defenses.Defense.check`."""
        if isinstance(options, SearchedOptions) and options.fuzzing:
            require_references(options.search, references)

    def check_classifier(self) -> None:
        """Refuse a classifier whose answers are no use to the defense; by default none.

        Raises:
            FuzzsmoothError: If it is one.
        """

    @abstractmethod
    def voted(self, received: Sequence[Received], sampler: Sampler, advance: Advance | None) -> list[Answer]:
        """The answers without certificates."""

    @abstractmethod
    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """The answers with certificates."""

    def vote(
        self,
        received: Sequence[Received],
        sampler: Sampler,
        copies: int,
        advance: Advance | None,
        *,
        needed: float = 1.0,
    ) -> list[Answer]:
        """The vote of some draws of each text, addressed apart from those of certificates.

        Args:
            received: The texts.
            sampler: Draws and asks.
            copies: Draws of each text.
            advance: Told how many texts have just been finished.
            needed: The error up to which a label is given; 1 gives it always.
        """
        plans = [one.plan for one in received]
        votes, unsure = sampler.ballots(plans, range(copies), "predict", advance)
        return [
            vote_answer(one, tuple(counts.tolist()), copies, self.labels, needed=needed, unsure=blank)
            for one, counts, blank in zip(received, votes, unsure.tolist(), strict=True)
        ]

    def early_vote(
        self,
        received: Sequence[Received],
        sampler: Sampler,
        copies: int,
        doubt: float,
        advance: Advance | None,
    ) -> list[Answer]:
        """The same vote, which stops where the rest would hardly change it.

        Args:
            received: The texts.
            sampler: Draws and asks.
            copies: Draws of each text at most.
            doubt: See :func:`fuzzsmooth.engine.early_vote.early_votes`.
            advance: Told how many texts have just been finished.
        """
        plans = [one.plan for one in received]
        votes, draws = early_votes(plans, sampler, copies, doubt, "predict", advance)
        return [
            vote_answer(one, tuple(counts.tolist()), made, self.labels, unmade=copies - made)
            for one, counts, made in zip(received, votes, draws, strict=True)
        ]

    def rates(self, units: Sequence[Units], scans: Sequence[Scan | None]) -> list[Rates]:
        """The rate of each unit of each text; by default 0, for what draws nothing.

        Args:
            units: The units of each text.
            scans: What a search of each found, where :meth:`scans` makes one.
        """
        del scans
        return [uniform_rates(len(cut), 0.0) for cut in units]

    def scans(self, texts: Sequence[str]) -> Sequence[Scan | None]:
        """The searches that decide the rates; by default none, so that rates do not depend on the text."""
        return [None] * len(texts)

    def kernel(self) -> TextKernel:
        """How a unit is randomized."""
        return text_kernel("deletion")

    def fuzzer(self) -> Fuzzer | None:
        """What follows deletion."""
        return None

    def unsure(self) -> Unsure | None:
        """Which answers of the base classifier are unsure; by default none."""
        return None

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """See :meth:`fuzzsmooth.defenses.Defense.answer`."""
        self._follow_model()
        received = self._received(texts)
        if certify:
            return read_alike(lambda: self._certify(received, advance))
        return read_alike(lambda: self.voted(received, self._certifying.answering(self.sampler), advance))

    def _certify(self, received: Sequence[Received], advance: Advance | None) -> list[Answer]:
        sampler, rounding = self._certifying.settle(self.sampler)
        return self.certified(received, sampler, Issuer(self.options, self.classifier, rounding), advance)

    def scan(self, texts: Iterable[str], *, advance: Advance | None = None) -> list[Scan]:
        """Find the vulnerable segments of each text; see :class:`fuzzsmooth.search.Scan`.

        Raises:
            FuzzsmoothError: If the defense has no options of a search.
        """
        if not isinstance(self.options, SearchedOptions):
            return super().scan(texts)
        self._follow_model()
        scanner = self.scanner or self._make_scanner(self.options)
        return scanner.scan(checked_texts(texts), self.options.seed, advance)

    def warm_up(self, text: str) -> None:
        """See :meth:`fuzzsmooth.defenses.Defense.warm_up`: here what the search reads by."""
        del text
        self._follow_model()
        if self.scanner is not None:
            self.scanner.warm_up()

    def _received(self, texts: Sequence[str]) -> list[Received]:
        units = [self.segmenter.segment(text).units for text in texts]
        scans = self.scans(texts)
        truncated = truncated_by(self.classifier, texts)
        rates = self.rates(units, scans)
        return [
            Received(Plan(text_key(text), cut, own), long, scan)
            for text, cut, own, long, scan in zip(texts, units, rates, truncated, scans, strict=True)
        ]

    def _build(self) -> None:
        """Make what remembers answers of the classifier: search, flip rates, draws."""
        options, classifier = self.options, self.classifier
        self._built_for = classifier.fingerprint
        searched = isinstance(options, SearchedOptions) and options.fuzzing
        self.scanner = self._make_scanner(options) if searched else None  # type: ignore[arg-type]
        # Predictions take every draw as computed; certificates keep a distance from rounding.
        coarse = getattr(classifier, "precision", "float32") != "float32"
        self.sampler = Sampler(
            classifier=classifier if self.noise is not None or coarse else in_float32(classifier),
            segmenter=self.segmenter,
            kernel=self.kernel(),
            noise=self.noise,
            fuzzer=self.fuzzer(),
            seed=options.seed,
            copies=None if self.noise is None else self.fixed_copies,
            unsure=self.unsure(),
        )
        self._certifying = CertificateSampler(options, takes_any=self.takes_any)

    takes_any = False
    """Whether predictions take an answer within the rounding band as it is: no vote and no proof needs it."""

    def _follow_model(self) -> None:
        """Forget what another state of the model has answered, once its weights were changed."""
        if self.classifier.fingerprint != self._built_for:
            self._build()

    def _make_scanner(self, options: SearchedOptions) -> Scanner:
        return Scanner(self._searched(), options.search, self.segmenter, self.references)

    def _searched(self) -> Classifier:
        """The classifier that searches ask: as exact as the answers, where they are part of a proof."""
        return in_float32(self.classifier)


def vote_answer(
    received: Received,
    votes: tuple[int, ...],
    draws: int,
    labels: Sequence[str],
    *,
    needed: float = 1.0,
    unsure: int = 0,
    unmade: int = 0,
) -> Answer:
    """The answer of a vote.

    Args:
        received: The text.
        votes: Votes per class.
        draws: Draws in all, >= sum of the votes and the unsure ones; the rest is undecided.
        labels: Class names.
        needed: The error up to which the label is given; 1 gives it always.
        unsure: Draws that were unsure and left out.
        unmade: Draws that stopping early left out; as votes decide when, they count for the runner-up.
    """
    winner = max(range(len(votes)), key=lambda index: (votes[index], -index))
    cast = draws - unsure
    error = vote_error(votes, undecided=cast - sum(votes) + unmade)
    label = winner if error <= needed else None
    return Answer(
        label=label,
        label_name=None if label is None else labels[label],
        status="abstain" if label is None else "answered",
        score=votes[winner] / max(1, cast),
        votes=votes,
        undecided=cast - sum(votes),
        unsure=unsure,
        error=error,
        passes=draws,
        truncated=received.truncated,
        **searched(received),
    )


def certified_answer(
    received: Received,
    evidence: Evidence,
    certificates: tuple[Certificate, ...],
    costs: Mapping[str, float] | None = None,
) -> Answer:
    """The answer that the main certificate gives, the first, or an abstention.

    Args:
        received: The text.
        evidence: What the certificates rest on.
        certificates: They.
        costs: See :class:`fuzzsmooth.defenses.Answer`.
    """
    main, votes = certificates[0], sum(evidence.counts)
    return Answer(
        label=main.label,
        label_name=main.label_name,
        status="answered" if main.label is not None else "abstain",
        score=max(evidence.counts) / votes if votes else 0.0,
        votes=evidence.counts,
        undecided=evidence.undecided,
        unsure=evidence.unsure,
        certificates=remarked(certificates, received.plan.units),
        passes=evidence.passes,
        statistics=evidence.statistics,
        truncated=received.truncated,
        costs=costs or {},
        leading=evidence.bound.label,
        **searched(received),
    )


def searched(received: Received) -> dict[str, Any]:
    """The fields of an answer that tell of the search of its text."""
    scan = received.scan
    return {} if scan is None else {"spans": scan.spans, "evaluations": scan.evaluations}
