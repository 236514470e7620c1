"""Uniform deletion with its closed-form radius, as RS-Del and CERT-ED have it.

Sources: RS-Del (arXiv 2302.01757) and CERT-ED (arXiv 2408.00728, Findings of EMNLP 2024). The classifier is
fine-tuned on texts deleted at the certified rate, a text is answered by a vote over a fixed number of deleted
copies, and the radius follows from a Clopper-Pearson bound on the vote (Theorem 1 in
:mod:`fuzzsmooth.certify`), of three or more classes by what the label lacks to 1. The published code of
CERT-ED selects and bounds the label from the same counts without a correction; here the bound is valid, so
the baseline is neither helped by that nor hurt by a wasteful split. Of its radii those for edits and for
insertions, into the text and in it as received, are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fuzzsmooth.common.options import Between
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance
from fuzzsmooth.defenses.fixed_draws import FixedDrawOptions, FixedDraws
from fuzzsmooth.defenses.randomized import Received, certified_answer
from fuzzsmooth.engine.certificates import Issuer, deletion_certificates
from fuzzsmooth.engine.evidence import SampledVotes, fixed_evidence, plain_plans
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.options import check_drawn
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.noise.text import Rates, uniform_rates
from fuzzsmooth.search.scan import Scan


@dataclass(frozen=True, kw_only=True)
class RsDelOptions(FixedDrawOptions):
    """How copies are drawn and bounded."""

    rate: Annotated[
        float, Between(0, 1, above=True, below=True), "Probability with which each unit is deleted."
    ] = 0.9

    def validate(self) -> None:
        """Check what has to stay below 1 as it is drawn."""
        check_drawn(self, "rate", "alpha")


@DEFENSES.register("rs_del")
class RsDel(FixedDraws):
    """RS-Del / CERT-ED: uniform deletion, a fixed number of draws, closed form; proved against any edits."""

    options_type = RsDelOptions
    options: RsDelOptions

    @classmethod
    def training(cls, options: RsDelOptions) -> Mapping[str, Any]:
        """Fine-tuning on texts deleted at the rate that is certified."""
        return {"text_noise": "delete", "text_rate": options.rate}

    @classmethod
    def threats(cls, options: RsDelOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        del options
        return ("edit", "insert")

    def rates(self, units: Sequence[Units], scans: Sequence[Scan | None]) -> list[Rates]:
        """One rate for all units."""
        del scans
        return [uniform_rates(len(cut), self.options.rate) for cut in units]

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """The radii of the closed form."""
        options, plans = self.options, [one.plan for one in received]
        evidence = fixed_evidence(
            SampledVotes(plans, sampler),
            plain_plans([len(plan.units) for plan in plans], draws=options.draws, classes=len(self.labels)),
            alpha=options.alpha,
            advance=advance,
        )
        return [
            certified_answer(
                one, found, deletion_certificates(found, issuer, options.rate, len(one.plan.units))[:3]
            )
            for one, found in zip(received, evidence, strict=True)
        ]
