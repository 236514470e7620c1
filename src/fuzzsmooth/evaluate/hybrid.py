"""Our statistics for uniform deletion: short texts exactly, of the others the shortest remainders exactly.

At a high rate most copies of a text keep only a few words, and there are few such copies: of 20 words at
rate .9, the 211 masks that keep at most two hold two thirds of the probability. They are asked once each and
count exactly; only the rest is sampled. The error of the vote shrinks with the share that is left to chance,
at the same number of copies (:mod:`fuzzsmooth.certify.exact`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import (
    NOT_CERTIFIED,
    bound_top_class,
    exact_probabilities,
    exact_radius,
    hybrid_lower_bound,
    low_masks,
    mask_probability,
    plan_hybrid,
    sample_high_masks,
    selection_draws,
    stratum_mass,
)
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.defenses import CertifiedAnswer, RsDelOptions
from fuzzsmooth.defenses.rs_del import FORWARD, deletion_radii
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import draw_masks, uniform_rates
from fuzzsmooth.text import segmenter

Labels = npt.NDArray[np.int64]


class HybridDeletion:
    """Uniform deletion, bounded by enumeration and draws together.

    Args:
        classifier: The base classifier, best one trained for the rate.
        options: Rate, alpha and seed; ``draws`` is the number of copies, enumerated ones included.
    """

    def __init__(self, classifier: Classifier, options: RsDelOptions) -> None:
        self.options = options
        self._classifier = classifier
        self._classes = len(classifier.labels)
        self._segmenter = segmenter("word")

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """Answer each text by a vote, with the radii that the vote proves."""
        return [self._certify(text) for text in texts]

    def _certify(self, text: str) -> CertifiedAnswer:
        options, units = self.options, self._segmenter.segment(text).units
        if 2 ** len(units) <= options.draws:
            return self._exactly(units)
        draw = generator(options.seed, "hybrid deletion", text_key(text))
        kept = plan_hybrid(len(units), options.rate, options.draws)
        if kept is None:
            return self._sampled(units, draw)
        return self._hybrid(units, kept, draw)

    def _exactly(self, units: tuple[str, ...]) -> CertifiedAnswer:
        """All masks are known: Theorem 2b, without a probability of error."""
        labels = self._labels(units, range(2 ** len(units)))
        exact = exact_probabilities(np.eye(self._classes)[labels], self.options.rate)
        radii: dict[str, int] = {threat: exact_radius(exact, threat) for threat in FORWARD}
        radii["backward"] = exact_radius(exact, "delete")
        radii = {threat: radius for threat, radius in radii.items() if radius != NOT_CERTIFIED}
        counts = tuple(int(count) for count in np.bincount(labels, minlength=self._classes))
        top = float(exact.probabilities[exact.label])
        return CertifiedAnswer(exact.label, radii, len(labels), counts, top)

    def _sampled(self, units: tuple[str, ...], draw: np.random.Generator) -> CertifiedAnswer:
        """Too long for enumeration to pay: the vote as the baseline has it."""
        options = self.options
        kept = draw_masks(uniform_rates(len(units), options.rate), options.draws, draw)
        labels = self._labels(units, [sum(1 << int(i) for i in np.flatnonzero(row)) for row in kept])
        selecting = self._selecting(options.draws)
        counts = self._counts(labels[selecting:])
        first = self._counts(labels[:selecting]) if selecting else None
        bound = (
            bound_top_class(counts, alpha=options.alpha)
            if first is None
            else bound_top_class(first, counts, alpha=options.alpha)
        )
        radii = deletion_radii(bound.p_lower, options.rate, len(units))
        return CertifiedAnswer(bound.label, radii, options.draws, tuple(counts), bound.p_lower)

    def _hybrid(self, units: tuple[str, ...], kept: int, draw: np.random.Generator) -> CertifiedAnswer:
        options, length = self.options, len(units)
        low = list(low_masks(length, kept))
        high = sample_high_masks(length, options.rate, kept, options.draws - len(low), draw)
        labels = self._labels(units, [*low, *high])
        mass = stratum_mass(length, options.rate, kept)
        exact = np.zeros(self._classes)
        shares = [mask_probability(mask, length, options.rate) for mask in low]
        np.add.at(exact, labels[: len(low)], shares)
        sampled = labels[len(low) :]
        selecting = self._selecting(len(sampled))
        # Two classes select and bound on the same draws, at half of alpha each; more select on a part.
        selection = sampled[:selecting] if selecting else sampled
        bounding, level = sampled[selecting:], options.alpha if selecting else options.alpha / self._classes
        chosen = exact + (1.0 - mass) * np.array(self._counts(selection)) / len(selection)
        label = int(chosen.argmax())
        p_lower = hybrid_lower_bound(
            min(float(exact[label]), mass), mass, self._counts(bounding)[label], len(bounding), alpha=level
        )
        radii = deletion_radii(p_lower, options.rate, length)
        return CertifiedAnswer(label, radii, options.draws, tuple(self._counts(labels)), p_lower)

    def _selecting(self, draws: int) -> int:
        return min(selection_draws(draws, self._classes), draws - 1) if draws > 1 else 0

    def _counts(self, labels: Labels) -> list[int]:
        return [int(count) for count in np.bincount(labels, minlength=self._classes)]

    def _labels(self, units: tuple[str, ...], masks: Sequence[int]) -> Labels:
        """The base label of each mask; what is left twice is asked once."""
        numbers: dict[str, int] = {}
        places = [
            numbers.setdefault(
                self._segmenter.join([unit for place, unit in enumerate(units) if mask >> place & 1]),
                len(numbers),
            )
            for mask in masks
        ]
        labels: Labels = self._classifier.probabilities(list(numbers)).argmax(axis=1)[places]
        return labels
