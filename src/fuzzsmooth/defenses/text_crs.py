r"""Text-CRS against word deletion (Zhang et al., S&P 2024): a vote over deleted and shuffled copies.

Each word is deleted with probability w, what is left is shuffled, and the copies vote. The published radius,
with n words, p_A the probability of the answer and p_B that of the runner-up, is the largest delta <= z / 2
with C(z, delta) <= p_A / p_B, where z, searched from w n upward and downward, is the first number of
deletions of a probability C(n, z) w^z (1 - w)^(n - z) below p_B. n is the number of words here; the published
code takes the length to which texts are padded.

**That radius alone proves nothing.** Take n = 20 words, w = .1, p_A = .8: it is 1 (z = 3, C(3, 1) = 3 <= 4).
But a classifier that answers B whenever the first word is gone (probability .1), and on another .1, has
p_A = .8, and answers B for certain once that word is deleted. What holds for every classifier is

    w^r > 1 - (p_A - p_B)        (Theorem 1, deletions; :mod:`fuzzsmooth.certify.theorems.edit`),

which shuffling, as it reads only what deletion has left, does not touch. So what is certified here is the
smaller of both: never more than published, and never more than proved. Where the published radius is larger
it is cut; mostly it is the smaller one.

Of the paper's four operations this is the one with deletion noise. Insertion there is Gaussian noise on
embeddings, whose certificate is about distances of embeddings and does not follow from this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, exp, lgamma, log, log1p
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from fuzzsmooth.certify import NOT_CERTIFIED, complement_upper, radius
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.copies import trained_on_copies
from fuzzsmooth.defenses.defense import DEFENSES, Advance
from fuzzsmooth.defenses.fixed_draws import FixedDrawOptions, FixedDraws
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.randomized import Received, certified_answer
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.evidence import SampledVotes, fixed_evidence, plain_plans
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.options import check_drawn
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.noise.text import Rates, TextKernel, represented, text_kernel, uniform_rates
from fuzzsmooth.search.scan import Scan
from fuzzsmooth.text.units import segmenter
from fuzzsmooth.training.progress import Progress, silent

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class TextCrsOptions(FixedDrawOptions):
    """How copies are drawn and bounded."""

    rate: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "Probability with which each unit is deleted; the paper has .3, .5 and .7.",
    ] = 0.7
    shuffle: Annotated[bool, "Whether what is left is shuffled, as published; proofs do without."] = True

    def validate(self) -> None:
        """Check what has to stay below 1 as it is drawn."""
        check_drawn(self, "rate", "alpha")


@DEFENSES.register("text-crs")
class TextCrs(FixedDraws):
    """Text-CRS: a vote over deleted and shuffled copies; proved against deletions."""

    options_type = TextCrsOptions
    options: TextCrsOptions

    @classmethod
    def make_model(
        cls, options: TextCrsOptions, material: Material, output: Path, progress: Progress = silent
    ) -> HuggingFaceClassifier:
        """Fine-tune on deleted and shuffled copies; see :class:`fuzzsmooth.defenses.Defense`."""
        cut = segmenter("word") if options.unit == "token" else segmenter(options.unit)
        kernel = _kernel(options)

        def randomized(text: str, source: np.random.Generator) -> str:
            units = cut.segment(text).units
            return cut.join(kernel(units, uniform_rates(len(units), options.rate), source))

        return trained_on_copies(material, output, progress, randomized)

    @classmethod
    def model_key(cls, options: TextCrsOptions) -> Mapping[str, Any]:
        """See :meth:`fuzzsmooth.defenses.Defense.model_key`."""
        return {"defense": cls.name, "rate": options.rate, "shuffle": options.shuffle, "unit": options.unit}

    @classmethod
    def threats(cls, options: TextCrsOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        del options
        return ("delete",)

    def kernel(self) -> TextKernel:
        """Deletion, and shuffling where that is wanted."""
        return _kernel(self.options)

    def rates(self, units: Sequence[Units], scans: Sequence[Scan | None]) -> list[Rates]:
        """One rate for all units."""
        del scans
        return [uniform_rates(len(cut), self.options.rate) for cut in units]

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """How many deletions each answer withstands."""
        options, lengths = self.options, [len(one.plan.units) for one in received]
        evidence = fixed_evidence(
            SampledVotes([one.plan for one in received], sampler),
            plain_plans(lengths, draws=options.draws, classes=len(self.labels)),
            alpha=options.alpha,
            advance=advance,
        )
        answers = []
        for one, found, length in zip(received, evidence, lengths, strict=True):
            bound = found.bound
            certificate = issuer.issue(
                found,
                radius=text_crs_radius(bound.p_lower, options.rate, length, p_upper=bound.p_upper),
                threat="delete",
                direction="forward",
                rates={"deletion": represented(options.rate)},
            )
            answers.append(certified_answer(one, found, (certificate,)))
        return answers


def text_crs_radius(p_lower: float, rate: float, length: int, *, p_upper: float | None = None) -> int:
    """Deletions that cannot change the answer: the smaller of the published radius and the proved one.

    Args:
        p_lower: Lower bound on the probability of the answer, in [0, 1].
        rate: Deletion rate, in (0, 1).
        length: Words of the text, >= 0.
        p_upper: Upper bound on that of every other class; None: 1 - p_lower.

    Returns:
        The radius; -1 if not even the unchanged text is certified.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    proved = radius(p_lower, represented(rate), "delete", p_upper=p_upper, length=length)
    if proved == NOT_CERTIFIED:
        return proved
    return min(proved, published_radius(p_lower, rate, length, p_upper=p_upper))


def published_radius(p_lower: float, rate: float, length: int, *, p_upper: float | None = None) -> int:
    """The radius as published, which proves nothing alone; arguments as of :func:`text_crs_radius`.

    >>> published_radius(0.8, 0.1, 20), text_crs_radius(0.8, 0.1, 20)
    (1, 0)
    """
    require(0 <= p_lower <= 1, f"p_lower must be a probability in [0, 1], got {p_lower}")
    require(0 < rate < 1, f"the deletion rate must lie strictly between 0 and 1, got {rate}")
    rival = complement_upper(p_lower) if p_upper is None else p_upper
    start, best = int(rate * length), 0
    for side in (range(start, length), range(start, 0, -1)):
        z = next((z for z in side if _probability(z, length, rate) < rival), 0)
        delta = 0
        while delta < z // 2 and comb(z, delta + 1) <= p_lower / rival:  # it grows up to z / 2
            delta += 1
        best = max(best, delta)
    return best


def _probability(deleted: int, length: int, rate: float) -> float:
    """Of so many deletions among all words."""
    ways = lgamma(length + 1) - lgamma(deleted + 1) - lgamma(length - deleted + 1)
    return exp(ways + deleted * log(rate) + (length - deleted) * log1p(-rate))


def _kernel(options: TextCrsOptions) -> TextKernel:
    return text_kernel("shuffled-deletion" if options.shuffle else "deletion")
