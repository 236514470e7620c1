"""Uniform deletion with our statistics, as an opponent of RS-Del: the same model, rate, copies and alpha.

Short texts are enumerated, of others the shortest remainders where that pays, and the rest is drawn in rounds
until the radii are settled (``statistics="auto"`` of :mod:`fuzzsmooth.engine.statistics`). Draws have the
addresses of RS-Del's, so that what differs is what is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.bench.measure import radii_by_threat
from fuzzsmooth.defenses import CertifiedAnswer, VoteOptions
from fuzzsmooth.defenses.rs_del import deletion_plans, deletion_sampler
from fuzzsmooth.engine import SmoothingOptions
from fuzzsmooth.engine.certificates import Issuer, certified_certificates
from fuzzsmooth.engine.options import THREATS
from fuzzsmooth.engine.statistics import gather_evidence
from fuzzsmooth.models.protocol import Classifier


class SmoothedDeletion:
    """A vote over deleted copies, bounded by enumeration and draws together.

    Args:
        classifier: The base classifier, best one trained for the rate.
        options: Rate, alpha and seed; ``draws`` is the number of copies at most, enumerated ones included.
        awaited: The threats whose radii are waited for; see
            :class:`fuzzsmooth.engine.SmoothingOptions`.
    """

    def __init__(
        self, classifier: Classifier, options: VoteOptions, *, awaited: tuple[str, ...] = THREATS
    ) -> None:
        self.options = SmoothingOptions(
            mode="certified",
            fuzzing=False,
            sigma=0.0,
            rate=options.rate,
            draws=options.draws,
            alpha=options.alpha,
            seed=options.seed,
            statistics="auto",
            awaited=awaited,
        )
        self._issuer = Issuer(self.options, classifier)
        self._sampler = deletion_sampler(classifier, options.seed)

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """Answer each text by a vote, with the radii that the vote proves."""
        plans = deletion_plans(texts, self.options.rate)
        return [
            CertifiedAnswer(
                found.bound.label,
                radii_by_threat(certified_certificates(found, self._issuer, len(plan.units))),
                found.passes,
                found.counts,
                found.bound.p_lower,
            )
            for found, plan in zip(gather_evidence(plans, self._sampler, self.options), plans, strict=True)
        ]
