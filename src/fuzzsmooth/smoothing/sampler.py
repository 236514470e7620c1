"""Draws of a randomized text under a noisy model, and their votes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.models.protocol import Classifier, NoisyClassifier, WeightNoise
from fuzzsmooth.noise.text import Rates, TextKernel
from fuzzsmooth.smoothing.fuzzers import Fuzzer, Units
from fuzzsmooth.text.units import Segmenter

Votes = npt.NDArray[np.int64]
"""Shape (texts, classes): how many draws voted for each class."""

_TOGETHER = 8192  # draws handed to the model at once: bounds the memory, fills the batches


@dataclass(frozen=True)
class Plan:
    """A text to be randomized.

    Attributes:
        key: 64-bit key of the text; addresses its draws.
        units: Its n units.
        rates: Shape (n,), the rate of each.
    """

    key: int
    units: Units
    rates: Rates


@dataclass(frozen=True)
class Sampler:
    """Counts the votes of randomized texts under fresh parameter noise.

    A draw is a function of (seed, purpose, text, draw index) alone, so the votes do not depend on batch
    size, order, or restarts.

    Attributes:
        classifier: The base classifier; a :class:`NoisyClassifier` if ``noise`` is given.
        segmenter: Writes units as a text.
        kernel: The text noise.
        noise: The parameter noise, or None.
        fuzzer: Post-processing of each randomized text, or None.
        seed: Seed of all draws.
    """

    classifier: Classifier
    segmenter: Segmenter
    kernel: TextKernel
    noise: WeightNoise | None
    fuzzer: Fuzzer | None
    seed: int

    def votes(
        self, plans: Sequence[Plan], draws: range, purpose: str, advance: Callable[[int], None] | None = None
    ) -> Votes:
        """Votes of each plan over the given draws.

        Args:
            plans: The texts and their rates.
            draws: Draw indices; disjoint ranges are independent draws.
            purpose: Separates the draws of predictions from those of certificates.
            advance: Told how many texts have just been finished.

        Returns:
            Counts of shape (len(plans), classes); rows sum to len(draws).
        """
        counts = np.zeros((len(plans), len(self.classifier.labels)), dtype=np.int64)
        per_call = max(1, _TOGETHER // len(draws))
        for first in range(0, len(plans), per_call):
            chunk = plans[first : first + per_call]
            for start in range(draws.start, draws.stop, _TOGETHER):
                part = range(start, min(start + _TOGETHER, draws.stop))
                labels = self._labels(chunk, part, purpose).reshape(len(chunk), len(part))
                for row, votes in enumerate(labels):
                    counts[first + row] += np.bincount(votes, minlength=counts.shape[1])
            if advance is not None:
                advance(len(chunk))
        return counts

    def _labels(self, plans: Sequence[Plan], draws: range, purpose: str) -> npt.NDArray[np.int64]:
        """The label of each (plan, draw), plans first; shape (len(plans) * len(draws),)."""
        texts = [
            self.kernel(plan.units, plan.rates, generator(self.seed, purpose, plan.key, draw))
            for plan in plans
            for draw in draws
        ]
        if self.fuzzer is not None:
            # Addressed by the draw, never by the text: the fuzzer's randomness must not depend on it.
            sources = [generator(self.seed, f"{purpose}-fuzz", draw) for _ in plans for draw in draws]
            texts = self.fuzzer(texts, sources)
        joined = [self.segmenter.join(units) for units in texts]
        if self.noise is None:
            rows = self.classifier.probabilities(joined)
        else:
            assert isinstance(self.classifier, NoisyClassifier)  # checked where the sampler is made
            seeds = [
                derived_seed(self.seed, f"{purpose}-weights", plan.key, draw)
                for plan in plans
                for draw in draws
            ]
            rows = self.classifier.noisy_probabilities(joined, self.noise, seeds)
        labels: npt.NDArray[np.int64] = rows.argmax(axis=1)
        return labels
