"""RanMASK (arXiv 2105.03743): a vote over copies of which a fixed share of the words is masked.

Of L words k stay. If r words are substituted, the copies that keep none of them are distributed as before;
there are C(L - r, k) of C(L, k) of these, so the probability of a class moves by at most
1 - C(L - r, k) / C(L, k). Certified at r iff

    p_lower - lambda (1 - C(L - r, k) / C(L, k)) > 1/2.

Two points where the published code is no certificate at level alpha, and what is done here: lambda there is
a point estimate; here it is 1, its trivial bound. The loop there returns the first radius that fails; here
the radius is the largest that holds. Lengths stay visible, so the threat is substitution alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Annotated, Any

from fuzzsmooth.certify import NOT_CERTIFIED
from fuzzsmooth.certify.theorems.edit import ROUNDING
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance
from fuzzsmooth.defenses.fixed_draws import FixedDrawOptions, FixedDraws
from fuzzsmooth.defenses.randomized import Received, certified_answer
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.evidence import SampledVotes, fixed_evidence, plain_plans
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.noise.text import TextKernel
from fuzzsmooth.noise.text.share_masking import ShareMasking, kept_units

_PURPOSE = "ranmask"


@dataclass(frozen=True, kw_only=True)
class RanMaskOptions(FixedDrawOptions):
    """How copies are masked and bounded."""

    rate: Annotated[float, Between(0, 1, above=True, below=True), "Share of the units that is masked."] = 0.9


@DEFENSES.register("ranmask")
class RanMask(FixedDraws):
    """RanMASK: mask a fixed share, vote; proved against substitutions."""

    options_type = RanMaskOptions
    options: RanMaskOptions

    @classmethod
    def training(cls, options: RanMaskOptions) -> Mapping[str, Any]:
        """Fine-tuning on copies masked at the rate that is certified."""
        return {"text_noise": "mask", "text_rate": options.rate}

    @classmethod
    def threats(cls, options: RanMaskOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        del options
        return ("substitute",)

    def kernel(self) -> TextKernel:
        """Masking with the model's own mask; "[MASK]" for a classifier of strings.

        Raises:
            FuzzsmoothError: If the model's tokenizer has none, as that of a decoder.
        """
        tokenizer = getattr(self.classifier, "tokenizer", None)
        mask = "[MASK]" if tokenizer is None else tokenizer.mask_token
        require(bool(mask), "the tokenizer has no mask token; masking needs a model such as BERT or RoBERTa")
        return ShareMasking(self.options.rate, str(mask))

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """The number of substitutions that each answer withstands."""
        options, lengths = self.options, [len(one.plan.units) for one in received]
        evidence = fixed_evidence(
            SampledVotes([one.plan for one in received], sampler, _PURPOSE),
            plain_plans(lengths, draws=options.draws, classes=len(self.labels)),
            alpha=options.alpha,
            advance=advance,
        )
        answers = []
        for one, found, length in zip(received, evidence, lengths, strict=True):
            size = ranmask_radius(found.bound.p_lower, length, kept_units(length, options.rate))
            certificate = issuer.issue(
                found,
                radius=size,
                threat="substitute",
                direction="symmetric",
                rates={"mask": options.rate},
            )
            answers.append(certified_answer(one, found, (certificate,)))
        return answers


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
