"""Uniform deletion first, fuzzing only of what is left: our certificates against any edits.

Each unit is deleted at one rate, then unit types that act as triggers are removed from what is left (or it is
searched), so that the fuzzing is part of the base classifier and the proof does not depend on it (Theorem 3).
Certificates enumerate where that pays, draw no longer than the radii need, and hold with probability 1 -
alpha, or surely where all deletions were enumerated (Theorems 1, 2b). The rate may depend on the number of
units, settled before any text is seen (Theorem 1n).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fuzzsmooth.common.options import Between, require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs, require_deterministic
from fuzzsmooth.defenses.randomized import Randomized, Received, certified_answer
from fuzzsmooth.engine.certificates import Issuer, costs, deletion_certificates, weighted_certificates
from fuzzsmooth.engine.deciding import Unsure
from fuzzsmooth.engine.evidence import Evidence
from fuzzsmooth.engine.fuzzers import Fuzzer, SearchFuzzer, TypeFuzzer, Units
from fuzzsmooth.engine.length_rates import LengthOptions, length_certificates
from fuzzsmooth.engine.options import NoisyOptions, SearchedOptions, check_drawn
from fuzzsmooth.engine.recheck import in_float32
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.engine.statistics import gather_evidence
from fuzzsmooth.engine.type_rates import TypeRates, rate_table, unit_rates
from fuzzsmooth.engine.weight_distance import weight_certificates
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import Rates, uniform_rates
from fuzzsmooth.search.references import References
from fuzzsmooth.search.scan import Scan

_PASSES = 16_384
"""Passes of a call at most. Early stops leave a third of them, and equal draws are asked about once, so that
with a small model on a processor a kill loses some seconds. Fewer starve the batches."""


@dataclass(frozen=True, kw_only=True)
class DeletionOptions(NoisyOptions, SearchedOptions, LengthOptions):
    """How texts are deleted from, what is fuzzed in the rest, and how passes are used."""

    sigma: Annotated[
        float,
        Between(0, 100),
        "Standard deviation of the parameter noise. These certificates do not need it, and with it nothing "
        "can be enumerated.",
    ] = 0.0
    noisy_copies: Annotated[
        int | None,
        Between(1, 10_000),
        "With parameter noise, how many noisy copies of the model are drawn, once; each draw asks one of "
        "them at random. Half a GiB of copies is kept, a dozen of MiniLM; where that is too little, they are "
        "drawn again and again. Left out: noise of its own for each draw.",
    ] = None
    fuzz_left: Annotated[
        Literal["types", "search"],
        "What is fuzzed in each deleted text. 'types': remove units that carry a prediction into clean texts "
        "by themselves; tested once per type, so it costs next to nothing. 'search': search each deleted "
        "text and remove what is flagged; finds triggers of several units too, at many evaluations per draw.",
    ] = "types"
    copies: Annotated[
        int,
        Between(1, 1_000_000),
        "Draws of a prediction; too few do not name the majority answer except with probability alpha.",
    ] = 100
    rate_flagged: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "With a table of flip rates, the deletion rate of the types it flags, not below ``rate``.",
    ] = 0.97
    unsure_margin: Annotated[
        float | None,
        Between(0, 1_000_000),
        "Let an answer to a deleted text vote for each class alike where it says hardly more than that to "
        "the empty text: where the two best logits, relative to those of the empty text, are no further "
        "apart than this. Otherwise such answers all vote for the class that the model leans to, which at "
        "high rates is then the only one that is certified. Good values are .02 to .2. It suits classes "
        "that have words of their own (positive, negative), not one that is the lack of any (not offensive).",
    ] = None
    weight_distance: Annotated[
        float | None,
        Between(0, 1_000_000),
        "Also certify edits together with a change of the noised weights by this many noise standard "
        "deviations, and the largest such change; needs sigma > 0 and no fuzzing, which would read the "
        "weights without their noise.",
    ] = None

    def validate(self) -> None:
        """Check combinations."""
        super().validate()
        check_drawn(self, "rate_flagged")
        require(
            self.rate <= self.rate_flagged,
            f"rate <= rate_flagged must hold, got {self.rate} and {self.rate_flagged}",
        )
        distance = self.weight_distance
        require(
            distance is None or self.sigma > 0,
            "a weight distance is certified with parameter noise: set sigma above 0",
        )
        require(
            distance is None or not self.fuzzing,
            "a weight distance cannot be certified with fuzzing, which reads the weights without their noise:"
            " turn fuzzing off (--no-fuzzing)",
        )
        require(
            distance is None or self.unsure_margin is None,
            "a weight distance cannot be certified with an unsure_margin, which is relative to what the "
            "weights without their noise say: leave one of them out",
        )
        require(
            distance is None or self.noisy_copies is None,
            "a weight distance needs fresh noise for each draw: leave out the distance, or noisy_copies",
        )
        require(
            self.noisy_copies is None or self.sigma > 0,
            "noisy copies are copies under parameter noise: set sigma above 0, or leave out noisy_copies",
        )
        require(
            distance is None or not (self.rates_by_length or self.kept_units),
            "a weight distance is certified at one rate: leave out the distance, or the rates by length",
        )


@DEFENSES.register("deletion")
class Deletion(Randomized):
    """Delete at one rate first, fuzz only what is left, vote; proved against any edits.

    Args:
        classifier: See :class:`Randomized`, as the others.
        options: The same.
        references: The same.
        rates: Deletion rates per unit type; by default all types have ``options.rate``.
    """

    options_type = DeletionOptions
    guarantee = "proved"
    needs = Needs(references=True, training=True)
    options: DeletionOptions

    def __init__(
        self,
        classifier: Classifier,
        options: DeletionOptions | Mapping[str, Any],
        references: References | None = None,
        *,
        rates: TypeRates | None = None,
    ) -> None:
        self.type_rates = rates
        self.length_rates = self.options_type.of(options).length_rates()
        super().__init__(classifier, options, references)

    @classmethod
    def settled(cls, options: DeletionOptions, data: Dataset) -> DeletionOptions:
        """Rates by length are chosen on the lengths of the training texts, unless they are given."""
        return options.chosen_on(data.texts)

    @classmethod
    def training(cls, options: DeletionOptions) -> Mapping[str, Any]:
        """Fine-tuning on texts deleted at the rate that is certified."""
        return {"text_noise": "delete", **options.training_rates}

    @classmethod
    def threats(cls, options: DeletionOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        more = ("weights", "edit_and_weights", "insert_and_weights") if options.weight_distance else ()
        return ("edit", "insert", "delete", "insert_and_delete", "weighted_insert", "weighted_edit", *more)

    @property
    def settings(self) -> dict[str, Any]:
        """See :meth:`fuzzsmooth.defenses.Defense.settings`."""
        rates = {} if self.type_rates is None else {"rates": self.type_rates.settings()}
        return super().settings | rates

    def check_classifier(self) -> None:
        """Refuse flip rates of another model, and fuzzing by what was answered once by chance."""
        if self.type_rates is not None:
            self.type_rates.check_model(self.classifier)
            require(
                self.options.weight_distance is None,
                "a weight distance needs one rate for all types; leave out the table or the distance",
            )
            require(
                self.options.kept_units is None,
                "rates by length and rates by type cannot be certified together; leave out the table or "
                "kept_units",
            )
        self.options.check_chosen()
        if self.options.unsure_margin is not None:
            require_deterministic(
                self.classifier,
                "an unsure_margin is relative to what the classifier answered once to the empty text",
                "leave it out",
            )
        if self.options.fuzzing:
            require_deterministic(
                self.classifier,
                "defense 'deletion' fuzzes by what the classifier answered once",
                "turn fuzzing off (fuzzing=False)",
            )

    def together(self, *, certify: bool) -> int:
        """See :meth:`fuzzsmooth.defenses.Defense.together`."""
        del certify
        searches = self.options.fuzzing and self.options.fuzz_left == "search"  # one search per draw
        return 1 if searches else max(1, min(64, _PASSES // self.options.draws))

    @property
    def fixed_copies(self) -> int | None:
        """The copies of the options."""
        return self.options.noisy_copies

    def unsure(self) -> Unsure | None:
        """Answers that are near to that to the empty text, in float32 whatever answers."""
        margin = self.options.unsure_margin
        return None if margin is None else Unsure.around_nothing(in_float32(self.classifier), margin)

    def fuzzer(self) -> Fuzzer | None:
        """What removes suspicious units from what deletion has left; it sees nothing else (Theorem 3)."""
        if self.scanner is None:
            return None
        if self.options.fuzz_left == "search":
            return SearchFuzzer(self.scanner)
        if self.type_rates is not None and self.type_rates.fill:
            return TypeFuzzer(self.type_rates.table)
        return TypeFuzzer(self.scanner.flip_rates())

    def rates(self, units: Sequence[Units], scans: Sequence[Scan | None]) -> list[Rates]:
        """One rate for all units, or the rate of each unit's type."""
        del scans
        if self.type_rates is None:
            return [uniform_rates(len(cut), self._rate(len(cut))) for cut in units]
        listed = self._listed(units)
        return [unit_rates(cut, listed, self.options.rate) for cut in units]

    def _rate(self, length: int) -> float:
        """The rate of a text of so many units."""
        return self.options.rate if self.length_rates is None else self.length_rates.rate(length)

    def _listed(self, units: Sequence[Units]) -> dict[str, float]:
        """The types of some texts that have a rate of their own."""
        return {} if self.type_rates is None else self.type_rates.listed(units, self.options.rate_flagged)

    def voted(self, received: Sequence[Received], sampler: Sampler, advance: Advance | None) -> list[Answer]:
        """The vote of the copies, or an abstention where it does not name the majority answer."""
        return self.vote(received, sampler, self.options.copies, advance, needed=self.options.alpha)

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """Radii against edits, insertions, deletions, and their mixtures."""
        plans, options = [one.plan for one in received], self.options
        weighted = self.type_rates is not None
        rates = None if self.length_rates is None else [self._rate(len(plan.units)) for plan in plans]
        evidence = gather_evidence(plans, sampler, options, weighted=weighted, rates=rates, advance=advance)
        if not weighted:
            return [
                certified_answer(one, found, self._certificates(one, found, issuer))
                for one, found in zip(received, evidence, strict=True)
            ]
        table = rate_table(self._listed([plan.units for plan in plans]), options.rate)
        return [
            certified_answer(
                one,
                found,
                weighted_certificates(found, issuer, one.plan.units, table, options.rate_flagged),
                costs(table, one.plan.units),
            )
            for one, found in zip(received, evidence, strict=True)
        ]

    def _certificates(self, one: Received, found: Evidence, issuer: Issuer) -> Any:
        options, length = self.options, len(one.plan.units)
        if self.length_rates is not None:
            return length_certificates(found, issuer, options, length)
        certificates = deletion_certificates(found, issuer, options.rate, length)
        if options.weight_distance is None:
            return certificates
        return certificates + weight_certificates(
            found,
            issuer,
            one.plan.key,
            length,
            rate=options.rate,
            sigma=options.sigma,
            distance=options.weight_distance,
        )
