"""RanMASK (arXiv 2105.03743): a vote over copies of which a fixed number of words is masked.

Of L words k stay. If r words are substituted, the copies that keep none of them are distributed as before;
there are C(L - r, k) of C(L, k) of these, so the probability of a class moves by at most
1 - C(L - r, k) / C(L, k). Certified at r iff

    p_lower - lambda (1 - C(L - r, k) / C(L, k)) > 1/2.

Two points where the published code is no certificate at level alpha, and what is done here: lambda there is
a point estimate; here it is 1, its trivial bound. The loop there returns the first radius that fails; here
the radius is the largest that holds. Lengths stay visible, so the threat is substitution alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from fuzzsmooth.certify import NOT_CERTIFIED, bound_top_class
from fuzzsmooth.certify.bounds import selection_draws
from fuzzsmooth.certify.edit import ROUNDING
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.defenses.answer import CertifiedAnswer
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.text import segmenter
from fuzzsmooth.training import FinetuneOptions
from fuzzsmooth.training.views import kept_units, mask_all_but, mask_token


@dataclass(frozen=True, kw_only=True)
class RanMaskOptions(Options):
    """How texts are masked and voted on.

    Attributes:
        rate: Share of the words that is masked, in (0, 1); at least one word stays.
        draws: Masked copies of a text, >= 2.
        alpha: Probability that a certificate is wrong, per text, in (0, 1).
        seed: Seed of all draws.
    """

    rate: float = 0.7
    draws: int = 1000
    alpha: float = 0.001
    seed: int = 0

    def validate(self) -> None:
        """Check every range."""
        require(0 < self.rate < 1, f"rate must lie strictly between 0 and 1, got {self.rate}")
        require(self.draws >= 2, f"draws must be at least 2, got {self.draws}")
        require(0 < self.alpha < 1, f"alpha must lie strictly between 0 and 1, got {self.alpha}")
        require(self.seed >= 0, f"seed must not be negative, got {self.seed}")


class RanMask:
    """The defense around a classifier that was fine-tuned with :meth:`training`.

    Args:
        classifier: The base classifier.
        options: Rate and draws.
        tokenizer: Whose mask token stands for a masked word.

    Raises:
        FuzzsmoothError: If the tokenizer has no mask token.
    """

    def __init__(self, classifier: Classifier, options: RanMaskOptions, tokenizer: Any) -> None:
        self.options = options
        self._classifier = classifier
        self._mask = mask_token(tokenizer)
        self._segmenter = segmenter("word")

    @staticmethod
    def training(base: FinetuneOptions, rate: float) -> FinetuneOptions:
        """Fine-tuning as published: one masked copy of each text in an epoch, at the certified rate."""
        return base.replace(text_noise="mask", text_rate=rate, copies=1, objective="each", consistency=0.0)

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """Answer each text by a vote, with the number of substitutions that it withstands."""
        return [self._certify(text) for text in texts]

    def _certify(self, text: str) -> CertifiedAnswer:
        options, classes = self.options, len(self._classifier.labels)
        units = self._segmenter.segment(text).units
        kept = kept_units(len(units), options.rate)
        draw = generator(options.seed, "ranmask", text_key(text))
        copies = [
            self._segmenter.join(mask_all_but(units, kept, self._mask, draw)) for _ in range(options.draws)
        ]
        labels = self._classifier.probabilities(copies).argmax(axis=1)
        selecting = min(selection_draws(options.draws, classes), options.draws - 1)
        counts = [int(count) for count in np.bincount(labels[selecting:], minlength=classes)]
        if selecting:
            first = [int(count) for count in np.bincount(labels[:selecting], minlength=classes)]
            bound = bound_top_class(first, counts, alpha=options.alpha)
        else:
            bound = bound_top_class(counts, alpha=options.alpha)
        radius = ranmask_radius(bound.p_lower, len(units), kept)
        radii = {} if radius == NOT_CERTIFIED else {"substitute": radius}
        return CertifiedAnswer(bound.label, radii, options.draws, tuple(counts), bound.p_lower)


def ranmask_radius(p_lower: float, length: int, kept: int) -> int:
    """Largest number of substituted words that cannot change the answer.

    Args:
        p_lower: Lower bound on the probability of the answer, in [0, 1].
        length: Words of the text, >= 0.
        kept: Words that stay unmasked, in 0..length.

    Returns:
        The radius, at most ``length``; -1 if not even the unchanged text is certified.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    require(0 <= p_lower <= 1, f"p_lower must be a probability in [0, 1], got {p_lower}")
    require(0 <= kept <= length, f"of {length} words not {kept} can be kept")
    masks = comb(length, kept)
    radius = NOT_CERTIFIED
    while radius < length:
        touched = 1.0 - comb(length - radius - 1, kept) / masks
        if not p_lower - touched > 0.5 + ROUNDING:
            break
        radius += 1
    return radius
