"""Fuzzed Randomized Smoothing as published (ICLR 2025, arXiv 2502.06892), with the search of our choice.

The received text is searched for its vulnerable area; units inside of it are randomized at omega_H, the
others at omega_L; K copies are answered under fresh noise on the parameters, and voted on. Its radius
(Theorem 1) is conditional: provided that the search marks in the changed text the whole trigger, and
otherwise exactly what it marks in this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fuzzsmooth.certify import (
    CONDITION,
    MASKED_CONDITION,
    Certificate,
    Threat,
    conditional_radius,
    floored,
    radius,
)
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs
from fuzzsmooth.defenses.randomized import Randomized, Received, certified_answer
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.evidence import Evidence
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.options import NoisyOptions, SearchedOptions, VoteOptions, check_drawn
from fuzzsmooth.engine.recheck import steady
from fuzzsmooth.engine.sampler import Sampler, read_alike
from fuzzsmooth.engine.statistics import vote_evidence
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import Rates, TextKernel, area_rates, represented, text_kernel, uniform_rates
from fuzzsmooth.search.references import References
from fuzzsmooth.search.scan import Scan, settled_reward

_VOTES = 65_536  # copies in memory at once, about a kilobyte each


@dataclass(frozen=True, kw_only=True)
class FrsOptions(NoisyOptions, SearchedOptions, VoteOptions):
    """How a text is randomized and voted on.

    The paper does not publish the three rates; those are our choice: the lowest that still removed every
    trigger in our measurements.
    """

    noise: Annotated[Literal["delete", "mask"], "How a unit is randomized."] = "delete"
    rate_high: Annotated[float, Between(0, 1, below=True), "omega_H, inside the vulnerable area."] = 0.95
    rate_low: Annotated[float, Between(0, 1, below=True), "omega_L, outside of it."] = 0.1
    rate_uniform: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "omega_M, the one rate of the ablation without fuzzing, and of Corollary 1.",
    ] = 0.5
    copies: Annotated[int, Between(1, 1_000_000), "K, the copies that vote, on a certificate too."] = 20
    doubt: Annotated[
        float,
        Between(0, 1, below=True),
        "The vote of a prediction stops when the rest of the K copies changes its answer with at most this "
        "probability, under Jeffreys' prior; 0: when they cannot.",
    ] = 0.08
    localization_recall: Annotated[
        float | None,
        Between(0, 1),
        "Share of triggered texts in which the search was measured to find the whole trigger, where known; "
        "printed with the condition.",
    ] = None

    def validate(self) -> None:
        """Check the rates."""
        super().validate()
        check_drawn(self, "rate_high", "rate_uniform")
        require(
            self.rate_low <= self.rate_high,
            f"rate_low <= rate_high must hold, got {self.rate_low} and {self.rate_high}",
        )


@DEFENSES.register("frs")
class Frs(Randomized):
    """Search the text, randomize what is vulnerable more than the rest, vote over noisy models."""

    options_type = FrsOptions
    guarantee = "conditional"
    needs = Needs(references=True, clean_data=True, training=True, trusted_encoder=True)
    options: FrsOptions
    shares_copies = True
    _found: dict[str, Scan]

    @classmethod
    def training(cls, options: FrsOptions) -> Mapping[str, Any]:
        """Fine-tuning under the noise of inference (Eq. 4)."""
        return {"sigma": options.sigma, "top_layers": options.top_layers}

    @classmethod
    def threats(cls, options: FrsOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        if options.noise == "mask":
            return ("substitute",)
        return ("trigger",) if options.fuzzing else ("edit",)

    @classmethod
    def check(cls, options: FrsOptions, references: References | None) -> None:
        """See :meth:`fuzzsmooth.defenses.Defense.check`."""
        super().check(options, references)
        if options.fuzzing:
            settled_reward(options.search, references)

    def together(self, *, certify: bool) -> int:
        """See :meth:`fuzzsmooth.defenses.Defense.together`."""
        # A noisy copy is drawn once a call, if not all K are kept in memory.
        return max(1, min(32 if certify else 256, _VOTES // self.options.copies))

    def kernel(self) -> TextKernel:
        """Deletion, or masking with the model's own mask."""
        if self.options.noise == "delete":
            return text_kernel("deletion")
        mask = getattr(getattr(self.classifier, "tokenizer", None), "mask_token", None)
        return text_kernel("masking", mask=mask or "[MASK]")

    def scans(self, texts: Sequence[str]) -> Sequence[Scan | None]:
        """The search of each text, which decides its rates; of the last texts it is remembered."""
        if not self.options.fuzzing:
            return [None] * len(texts)
        known = {text: self._found[text] for text in texts if text in self._found}
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(fresh, self.scan(fresh), strict=True))
        self._found = known  # a certificate is mostly asked for what has just been predicted
        return [known[text] for text in texts]

    def warm_up(self, text: str) -> None:
        """The same, and all noisy copies: few texts need more than the first ones."""
        super().warm_up(text)
        read_alike(lambda: self.vote(self._received([text]), self.sampler, self.options.copies, None))

    def _build(self) -> None:
        super()._build()
        self._found = {}

    def rates(self, units: Sequence[Units], scans: Sequence[Scan | None]) -> list[Rates]:
        """omega_H in the vulnerable area and omega_L elsewhere, or omega_M everywhere (Eq. 11)."""
        options = self.options
        return [
            uniform_rates(len(cut), options.rate_uniform)
            if scan is None
            else area_rates(len(cut), scan.units, options.rate_high, options.rate_low)
            for cut, scan in zip(units, scans, strict=True)
        ]

    def voted(self, received: Sequence[Received], sampler: Sampler, advance: Advance | None) -> list[Answer]:
        """The vote of K copies, or of so many that the rest would hardly change it, with its error."""
        return self.early_vote(received, sampler, self.options.copies, self.options.doubt, advance)

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """The radius that the K copies give."""
        options = self.options
        evidence = vote_evidence(
            [one.plan for one in received], sampler, options, copies=options.copies, advance=advance
        )
        return [
            certified_answer(one, found, (frs_certificate(found, issuer, options),))
            for one, found in zip(received, evidence, strict=True)
        ]

    def _searched(self) -> Classifier:
        return steady(self.classifier)  # no proof needs more than the precision of the model


def frs_certificate(evidence: Evidence, issuer: Issuer, options: FrsOptions) -> Certificate:
    """The paper's radius (Theorem 1 of FRS), conditional on what the search does to the changed text.

    Without fuzzing the rate is the same everywhere and Theorem 1 of uniform deletion proves the radius, if
    units are deleted; masking reveals the length, so only substitutions are covered then, with and without
    fuzzing.

    Args:
        evidence: The votes.
        issuer: Makes the certificate.
        options: Rates and noise.
    """
    bound, masked = evidence.bound, options.noise == "mask"
    if not options.fuzzing:
        uniform = represented(options.rate_uniform)
        threat: Threat = "substitute" if masked else "edit"
        size = radius(bound.p_lower, uniform, threat, p_upper=bound.p_upper)
        return issuer.issue(
            evidence, radius=size, threat=threat, direction="symmetric", rates={options.noise: uniform}
        )
    named = {"high": represented(options.rate_high), "low": represented(options.rate_low)}
    condition = MASKED_CONDITION if masked else CONDITION
    if options.localization_recall is not None:
        named["localization_recall"] = options.localization_recall
        condition += (
            f" (measured: the whole trigger was marked in {floored(100 * options.localization_recall, 4)} %"
            " of the triggered texts tried; whether the other marks stayed the same was not measured)"
        )
    size = conditional_radius(bound.p_lower, named["high"], p_upper=bound.p_upper, masked=masked)
    return issuer.issue(
        evidence,
        radius=size,
        threat="substitute" if masked else "trigger",
        direction="symmetric" if masked else "forward",
        rates=named,
        condition=condition,
    )
