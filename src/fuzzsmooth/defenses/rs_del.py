"""Uniform deletion with its closed-form radius, as RS-Del and CERT-ED have it.

Sources: RS-Del (arXiv 2302.01757) and CERT-ED (arXiv 2408.00728, Findings of EMNLP 2024). The classifier is
fine-tuned on texts deleted at the certified rate, a text is answered by a vote over deleted copies, and the
radius follows from a Clopper-Pearson bound on the vote (Theorem 1 in :mod:`fuzzsmooth.certify.edit`). The
published code of CERT-ED selects and bounds the label from the same counts without a correction; here the
bound is valid, so the baseline is neither helped by that nor hurt by a wasteful split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.certify import NOT_CERTIFIED, backward_radius, bound_top_class, forward_radius
from fuzzsmooth.certify.bounds import selection_draws
from fuzzsmooth.certify.edit import Threat
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.defenses.answer import CertifiedAnswer
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import Deletion, uniform_rates
from fuzzsmooth.smoothing.sampler import Plan, Sampler
from fuzzsmooth.text import segmenter
from fuzzsmooth.training import FinetuneOptions

FORWARD: tuple[Threat, ...] = ("edit", "insert", "delete")
"""Threats from a clean text; "backward" is about inserted words in a received one."""


@dataclass(frozen=True, kw_only=True)
class RsDelOptions(Options):
    """How texts are deleted and voted on.

    Attributes:
        rate: Deletion probability of each word, in (0, 1).
        draws: Deleted copies of a text, >= 2.
        alpha: Probability that a certificate is wrong, per text, in (0, 1).
        seed: Seed of all draws.
    """

    rate: float = 0.9
    draws: int = 1000
    alpha: float = 0.001
    seed: int = 0

    def validate(self) -> None:
        """Check every range."""
        require(0 < self.rate < 1, f"rate must lie strictly between 0 and 1, got {self.rate}")
        require(self.draws >= 2, f"draws must be at least 2, got {self.draws}")
        require(0 < self.alpha < 1, f"alpha must lie strictly between 0 and 1, got {self.alpha}")
        require(self.seed >= 0, f"seed must not be negative, got {self.seed}")


class RsDel:
    """The defense around a classifier that was fine-tuned with :meth:`training`.

    Args:
        classifier: The base classifier.
        options: Rate and draws.
    """

    def __init__(self, classifier: Classifier, options: RsDelOptions) -> None:
        self.options = options
        self._segmenter = segmenter("word")
        self._classes = len(classifier.labels)
        self._sampler = Sampler(
            classifier=classifier,
            segmenter=self._segmenter,
            kernel=Deletion(),
            noise=None,
            fuzzer=None,
            seed=options.seed,
        )

    @staticmethod
    def training(base: FinetuneOptions, rate: float) -> FinetuneOptions:
        """Fine-tuning as published: one deleted copy of each text in an epoch, at the certified rate."""
        return base.replace(text_noise="delete", text_rate=rate, copies=1, objective="each", consistency=0.0)

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """Answer each text by a vote, with the radii that the vote proves."""
        options = self.options
        units = [self._segmenter.segment(text).units for text in texts]
        plans = [
            Plan(text_key(text), cut, uniform_rates(len(cut), options.rate))
            for text, cut in zip(texts, units, strict=True)
        ]
        selecting = min(selection_draws(options.draws, self._classes), options.draws - 1)
        selected = self._sampler.votes(plans, range(selecting), "rs-del") if selecting else None
        votes = self._sampler.votes(plans, range(selecting, options.draws), "rs-del")
        answers = []
        for index, cut in enumerate(units):
            counts = [int(count) for count in votes[index]]
            if selected is None:
                bound = bound_top_class(counts, alpha=options.alpha)
            else:
                first = [int(count) for count in selected[index]]
                bound = bound_top_class(first, counts, alpha=options.alpha)
            radii = deletion_radii(bound.p_lower, options.rate, len(cut))
            answers.append(CertifiedAnswer(bound.label, radii, options.draws, tuple(counts), bound.p_lower))
        return answers


def deletion_radii(p_lower: float, rate: float, length: int) -> dict[str, int]:
    """Radii of Theorem 1 by threat, "backward" among them; none where the label is not certified."""
    radii: dict[str, int] = {
        threat: forward_radius(p_lower, rate, threat, length=length) for threat in FORWARD
    }
    radii["backward"] = backward_radius(p_lower, rate, "insert", length=length)
    return {threat: radius for threat, radius in radii.items() if radius != NOT_CERTIFIED}
