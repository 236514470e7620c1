"""Deletions without chance: all masks of a short text, or its shortest remainders and draws from the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fuzzsmooth.certify import (
    MOST_MASS,
    TopClassBound,
    exact_probabilities,
    low_masks,
    mask_probability,
    sample_high_masks,
    selection_draws,
    stratum_mass,
    top_class,
)
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.engine.deciding import UNSURE, Answers, shares
from fuzzsmooth.engine.evidence import PURPOSE, DrawnText, Evidence, count_labels
from fuzzsmooth.engine.group_sequential import contenders, equal_draws
from fuzzsmooth.engine.sampler import Plan, Sampler, Votes, mask_rows

_HIGH = f"{PURPOSE}-high"
"""Addresses the draws from what enumeration has left."""


def exact_evidence(plans: Sequence[Plan], sampler: Sampler, rates: Sequence[float]) -> list[Evidence]:
    """Exact class probabilities from all 2**n masks of each text (Theorem 2b).

    Args:
        plans: The texts, short ones, and the rates of their units.
        sampler: Answers masks; nothing in it may be drawn.
        rates: For each text the lowest rate of any unit there is.
    """
    classes = len(sampler.classifier.labels)
    kept = [mask_rows(range(1 << len(plan.units)), len(plan.units)) for plan in plans]
    answers = sampler.labels(plans, kept)
    return [
        _exact(labels, plan, rate, classes) for labels, plan, rate in zip(answers, plans, rates, strict=True)
    ]


def _exact(labels: Answers, plan: Plan, rate: float, classes: int) -> Evidence:
    exact = exact_probabilities(shares(labels, classes), rate, unit_rates=plan.rates.tolist())
    counts = count_labels(labels, classes)
    bound = TopClassBound(exact.label, exact.p_lower, exact.p_upper, int(counts[exact.label]), len(labels))
    return Evidence(
        bound,
        tuple(counts.tolist()),
        len(labels),
        "exact",
        "exact",
        exact,
        len(labels),
        int(np.count_nonzero(labels == UNSURE)),
    )


@dataclass(frozen=True)
class StratifiedVotes:
    """Draws given that more units are kept than were enumerated.

    Attributes:
        plans: All texts.
        sampler: Answers masks.
        masks: The conditional masks of each text that is drawn from, in the order of draws.
    """

    plans: Sequence[Plan]
    sampler: Sampler
    masks: Mapping[int, Sequence[int]]

    def votes(self, texts: Sequence[int], draws: Sequence[range]) -> Votes:
        """See :class:`fuzzsmooth.engine.evidence.VoteSource`."""
        plans = [self.plans[text] for text in texts]
        kept = [
            mask_rows(self.masks[text][part.start : part.stop], len(plan.units))
            for text, part, plan in zip(texts, draws, plans, strict=True)
        ]
        classes = len(self.sampler.classifier.labels)
        answers = [
            self.sampler.with_coins(labels, plan, part, _HIGH)
            for labels, plan, part in zip(self.sampler.labels(plans, kept), plans, draws, strict=True)
        ]
        counts = [count_labels(labels, classes) for labels in answers]
        return np.array(counts, dtype=np.int64).reshape(len(texts), classes)


def stratified_plans(
    plans: Sequence[Plan],
    most_kept: Mapping[int, int],
    sampler: Sampler,
    *,
    rates: Sequence[float],
    draws: int,
    sparing: float | None = None,
) -> tuple[list[DrawnText], StratifiedVotes]:
    """Enumerate the low strata of some texts and draw the masks of the rest.

    Args:
        plans: All texts; those enumerated here have the same rate everywhere.
        most_kept: J by index of text.
        sampler: Answers masks; nothing in it may be drawn.
        rates: The rate of each text.
        draws: Passes per text at most, those of the enumeration included.
        sparing: Failure probability per text, to plan no more draws than make the bound as sharp as one of
            ``draws`` plain draws; None plans all that are left.

    Returns:
        The drawn_texts, and where their draws come from.
    """
    classes = len(sampler.classifier.labels)
    low = {text: list(low_masks(len(plans[text].units), kept)) for text, kept in most_kept.items()}
    chosen = [plans[text] for text in low]
    rows = [mask_rows(masks, len(plan.units)) for masks, plan in zip(low.values(), chosen, strict=True)]
    drawn_texts, masks = [], dict[int, Sequence[int]]()
    for (text, enumerated), labels in zip(low.items(), sampler.labels(chosen, rows), strict=True):
        length, rate = len(plans[text].units), rates[text]
        parts = np.zeros(classes)
        for mask, share in zip(enumerated, shares(labels, classes), strict=True):
            parts += share * mask_probability(mask, length, rate)
        mass = stratum_mass(length, rate, most_kept[text])
        parts = np.minimum(parts, mass)
        exact_parts = tuple(parts.tolist())
        left = 0 if mass >= MOST_MASS else draws - len(enumerated)
        tested = contenders(exact_parts, mass, sure=sparing is None)
        if sparing is not None and left:
            left = min(left, _sparing_draws(exact_parts, mass, draws, sparing, tested))
        if left == 1 and classes > 2:  # the draw is better spent on bounding
            tested = (top_class(exact_parts),)
        source = generator(sampler.seed, _HIGH, plans[text].key)
        masks[text] = sample_high_masks(length, rate, most_kept[text], left, source) if left else []
        drawn_texts.append(DrawnText(text, length, left, exact_parts, mass, len(enumerated), tested))
    return drawn_texts, StratifiedVotes(plans, sampler, masks)


def _sparing_draws(
    exact_parts: tuple[float, ...], mass: float, draws: int, alpha: float, tested: tuple[int, ...]
) -> int:
    """Conditional draws as good as ``draws`` plain ones for each class that may be certified."""
    classes = len(exact_parts)
    selecting = selection_draws(draws, classes)
    needed = [
        equal_draws(exact_parts[label], mass, draws - selecting, alpha=alpha, plain_alpha=alpha)
        for label in tested
    ]
    most = max(needed)
    # Of what is drawn a part selects, if more than one class is left to choose from.
    return most + math.ceil(most / 9) if selecting and len(tested) > 1 else most
