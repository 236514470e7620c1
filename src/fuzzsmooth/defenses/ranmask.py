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

from fuzzsmooth.certify import NOT_CERTIFIED
from fuzzsmooth.certify.theorems.edit import ROUNDING
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.defenses.answer import CertifiedAnswer
from fuzzsmooth.defenses.options import VoteOptions
from fuzzsmooth.engine.evidence import undivided
from fuzzsmooth.engine.fixed import fixed_evidence
from fuzzsmooth.engine.sampler import Votes
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.views import kept_units, mask_all_but, mask_token


class RanMask:
    """The defense around a classifier that was fine-tuned on masked copies.

    Args:
        classifier: The base classifier.
        options: Rate and draws.
        tokenizer: Whose mask token stands for a masked word.

    Raises:
        FuzzsmoothError: If the tokenizer has no mask token.
    """

    def __init__(self, classifier: Classifier, options: VoteOptions, tokenizer: Any) -> None:
        self.options = options
        self._classifier = classifier
        self._mask = mask_token(tokenizer)
        self._segmenter = segmenter("word")

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """Answer each text by a vote, with the number of substitutions that it withstands."""
        options = self.options
        units = [self._segmenter.segment(text).units for text in texts]
        classes = len(self._classifier.labels)
        evidence = fixed_evidence(
            _MaskedSource(self, texts, units),
            undivided([len(cut) for cut in units], draws=options.draws, classes=classes),
            alpha=options.alpha,
        )
        answers = []
        for found, cut in zip(evidence, units, strict=True):
            p_lower = found.bound.p_lower
            radius = ranmask_radius(p_lower, len(cut), kept_units(len(cut), options.rate))
            radii = {} if radius == NOT_CERTIFIED else {"substitute": radius}
            answers.append(CertifiedAnswer(found.bound.label, radii, found.draws, found.counts, p_lower))
        return answers

    def votes(self, text: str, units: tuple[str, ...], draws: range) -> Votes:
        """Votes per class of some masked copies of a text; equal copies are asked about once.

        Args:
            text: The text, which addresses the draws together with their indices.
            units: Its words.
            draws: Indices of the copies.
        """
        kept, key = kept_units(len(units), self.options.rate), text_key(text)
        copies = [
            self._segmenter.join(
                mask_all_but(units, kept, self._mask, generator(self.options.seed, "ranmask", key, draw))
            )
            for draw in draws
        ]
        distinct = list(dict.fromkeys(copies))
        answers = self._classifier.probabilities(distinct).argmax(axis=1).tolist()
        known = dict(zip(distinct, answers, strict=True))
        return np.bincount([known[copy] for copy in copies], minlength=len(self._classifier.labels))


@dataclass(frozen=True)
class _MaskedSource:
    """Draws of masked copies."""

    defense: RanMask
    texts: Sequence[str]
    units: Sequence[tuple[str, ...]]

    def votes(self, texts: Sequence[int], draws: Sequence[range]) -> Votes:
        """See :class:`fuzzsmooth.engine.evidence.Source`."""
        return np.stack(
            [
                self.defense.votes(self.texts[text], self.units[text], part)
                for text, part in zip(texts, draws, strict=True)
            ]
        )


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
