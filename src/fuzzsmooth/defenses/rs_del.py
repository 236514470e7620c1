"""Uniform deletion with its closed-form radius, as RS-Del and CERT-ED have it.

Sources: RS-Del (arXiv 2302.01757) and CERT-ED (arXiv 2408.00728, Findings of EMNLP 2024). The classifier is
fine-tuned on texts deleted at the certified rate, a text is answered by a vote over deleted copies, and the
radius follows from a Clopper-Pearson bound on the vote (Theorem 1 in :mod:`fuzzsmooth.certify.theorems.edit`). The
published code of CERT-ED selects and bounds the label from the same counts without a correction; here the
bound is valid, so the baseline is neither helped by that nor hurt by a wasteful split.
"""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.certify import NOT_CERTIFIED, Threat, backward_radius, forward_radius
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.defenses.answer import CertifiedAnswer
from fuzzsmooth.defenses.options import VoteOptions
from fuzzsmooth.engine.evidence import SampledSource, undivided
from fuzzsmooth.engine.fixed import fixed_evidence
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import Deletion, represented, uniform_rates
from fuzzsmooth.text import segmenter

_FORWARD: tuple[Threat, ...] = ("edit", "insert")


class RsDel:
    """The defense around a classifier that was fine-tuned on deleted copies.

    Args:
        classifier: The base classifier.
        options: Rate and draws.
    """

    def __init__(self, classifier: Classifier, options: VoteOptions) -> None:
        self.options = options
        self._sampler = deletion_sampler(classifier, options.seed)

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """Answer each text by a vote, with the radii that the vote proves."""
        options = self.options
        plans = deletion_plans(texts, options.rate)
        classes = len(self._sampler.classifier.labels)
        evidence = fixed_evidence(
            SampledSource(plans, self._sampler),
            undivided([len(plan.units) for plan in plans], draws=options.draws, classes=classes),
            alpha=options.alpha,
        )
        return [
            CertifiedAnswer(
                found.bound.label,
                deletion_radii(found.bound.p_lower, represented(options.rate), len(plan.units)),
                found.draws,
                found.counts,
                found.bound.p_lower,
            )
            for found, plan in zip(evidence, plans, strict=True)
        ]


def deletion_sampler(classifier: Classifier, seed: int) -> Sampler:
    """Draws words of texts without parameter noise and without fuzzing."""
    return Sampler(
        classifier=classifier,
        segmenter=segmenter("word"),
        kernel=Deletion(),
        noise=None,
        fuzzer=None,
        seed=seed,
    )


def deletion_plans(texts: Sequence[str], rate: float) -> list[Plan]:
    """The words of each text, all deleted at one rate."""
    words = segmenter("word")
    cut = [words.segment(text).units for text in texts]
    return [
        Plan(text_key(text), units, uniform_rates(len(units), rate))
        for text, units in zip(texts, cut, strict=True)
    ]


def deletion_radii(p_lower: float, rate: float, length: int) -> dict[str, int]:
    """Radii of Theorem 1 by threat; none where the label is not certified.

    "edit" and "insert" are about changes of a clean text, "backward" about words inserted in a received one.
    """
    radii: dict[str, int] = {
        threat: forward_radius(p_lower, rate, threat, length=length) for threat in _FORWARD
    }
    radii["backward"] = backward_radius(p_lower, rate, "insert", length=length)
    return {threat: radius for threat, radius in radii.items() if radius != NOT_CERTIFIED}
