"""Deletions without chance: all masks of a short text, or its shortest remainders and draws from the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fuzzsmooth.certify import (
    TopClassBound,
    exact_probabilities,
    low_masks,
    mask_probability,
    sample_high_masks,
    stratum_mass,
)
from fuzzsmooth.certify.hybrid import MOST_MASS
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.smoothing.evidence import PURPOSE, Case, Evidence, count_labels
from fuzzsmooth.smoothing.fuzzers import Units
from fuzzsmooth.smoothing.remainders import Labels, Remainders, kept_units
from fuzzsmooth.smoothing.sampler import Plan, Votes


def exact_evidence(plans: Sequence[Plan], remainders: Remainders, rate: float) -> list[Evidence]:
    """Exact class probabilities from all 2**n masks of each text (Theorem 2b).

    Args:
        plans: The texts, short ones, and the rates of their units.
        remainders: The base classifier.
        rate: The lowest rate of any unit there is.
    """
    classes = len(remainders.classifier.labels)
    asked = [[kept_units(plan.units, mask) for mask in range(1 << len(plan.units))] for plan in plans]
    return [
        _exact(labels, plan, rate, classes)
        for labels, plan in zip(_ask_together(asked, remainders), plans, strict=True)
    ]


def _exact(labels: Labels, plan: Plan, rate: float, classes: int) -> Evidence:
    outcomes = np.eye(classes + 1)[labels][:, :classes]  # an undecided label, -1, is a row of zeros
    exact = exact_probabilities(outcomes, rate, unit_rates=plan.rates.tolist())
    counts = count_labels(labels, classes)
    bound = TopClassBound(exact.label, exact.p_lower, exact.p_upper, int(counts[exact.label]), len(labels))
    return Evidence(bound, tuple(counts.tolist()), len(labels), "exact", "exact", exact, len(labels))


@dataclass(frozen=True)
class HybridSource:
    """Draws given that more units are kept than were enumerated.

    Attributes:
        remainders: The base classifier.
        units: The units of each text that is drawn from.
        masks: Its conditional masks, in the order of draws.
    """

    remainders: Remainders
    units: Mapping[int, Units]
    masks: Mapping[int, Sequence[int]] = field(default_factory=dict)

    def votes(self, texts: Sequence[int], draws: range) -> Votes:
        """See :class:`fuzzsmooth.smoothing.evidence.Source`."""
        asked = [
            [kept_units(self.units[text], mask) for mask in self.masks[text][draws.start : draws.stop]]
            for text in texts
        ]
        classes = len(self.remainders.classifier.labels)
        return np.array([count_labels(labels, classes) for labels in _ask_together(asked, self.remainders)])


def hybrid_cases(
    plans: Sequence[Plan],
    most_kept: Mapping[int, int],
    remainders: Remainders,
    *,
    rate: float,
    draws: int,
    seed: int,
) -> tuple[list[Case], HybridSource]:
    """Enumerate the low strata of some texts and draw the masks of the rest.

    Args:
        plans: All texts; those enumerated here have the same rate everywhere.
        most_kept: J by index of text.
        remainders: The base classifier.
        rate: The rate.
        draws: Passes per text at most, those of the enumeration included.
        seed: Seed of the masks.

    Returns:
        The cases, and where their draws come from.
    """
    classes = len(remainders.classifier.labels)
    low = {text: list(low_masks(len(plans[text].units), kept)) for text, kept in most_kept.items()}
    asked = [[kept_units(plans[text].units, mask) for mask in masks] for text, masks in low.items()]
    cases, masks = [], dict[int, Sequence[int]]()
    for (text, enumerated), labels in zip(low.items(), _ask_together(asked, remainders), strict=True):
        length = len(plans[text].units)
        parts = np.zeros(classes)
        for mask, label in zip(enumerated, labels.tolist(), strict=True):
            if label >= 0:
                parts[label] += mask_probability(mask, length, rate)
        mass = stratum_mass(length, rate, most_kept[text])
        parts = np.minimum(parts, mass)
        left = 0 if mass >= MOST_MASS else draws - len(enumerated)
        source = generator(seed, f"{PURPOSE}-high", plans[text].key)
        masks[text] = sample_high_masks(length, rate, most_kept[text], left, source) if left else []
        cases.append(Case(text, length, left, tuple(parts.tolist()), mass, len(enumerated)))
    return cases, HybridSource(remainders, {text: plans[text].units for text in low}, masks)


def _ask_together(asked: Sequence[Sequence[Units]], remainders: Remainders) -> list[Labels]:
    """The labels of several lists of remainders, asked at once."""
    labels = remainders.labels([left for part in asked for left in part])
    ends = np.cumsum([len(part) for part in asked])
    return list(np.split(labels, ends[:-1])) if len(asked) else []
