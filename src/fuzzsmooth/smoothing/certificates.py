"""From votes to certificates, for both modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import (
    CONDITION,
    NOT_CERTIFIED,
    Certificate,
    Threat,
    backward_radius,
    bound_top_class,
    conditional_radius,
    forward_radius,
)
from fuzzsmooth.certify.bounds import TopClassBound
from fuzzsmooth.certify.result import Direction, ThreatName
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import represented
from fuzzsmooth.smoothing.options import SmoothingOptions


@dataclass(frozen=True)
class Evidence:
    """The votes on a text and what follows from them.

    Attributes:
        bound: The selected label and the bounds on its probability.
        counts: All votes per class, selection included.
    """

    bound: TopClassBound
    counts: tuple[int, ...]

    @classmethod
    def from_votes(
        cls, selection: npt.NDArray[np.int64], estimation: npt.NDArray[np.int64] | None, alpha: float
    ) -> Evidence:
        """Bound the top class: from the same votes, or from separate ones where there are any."""
        separate: Sequence[int] | None = None if estimation is None else estimation.tolist()
        bound = bound_top_class(selection.tolist(), separate, alpha=alpha)
        total = selection if estimation is None else selection + estimation
        return cls(bound, tuple(int(count) for count in total))


def certified_certificates(
    evidence: Evidence, options: SmoothingOptions, classifier: Classifier, length: int
) -> tuple[Certificate, ...]:
    """Proved radii of uniform deletion (Theorem 1): any edits, insertions forward, insertions backward.

    Args:
        evidence: The votes.
        options: Rate, alpha, unit and seed.
        classifier: For the label names and the model's fingerprint.
        length: Units of the text.
    """
    bound, rate = evidence.bound, represented(options.rate)
    rows: list[tuple[Threat, Direction, int]] = [
        ("edit", "symmetric", forward_radius(bound.p_lower, rate, "edit", p_upper=bound.p_upper)),
        ("insert", "forward", forward_radius(bound.p_lower, rate, "insert", p_upper=bound.p_upper)),
        (
            "insert",
            "backward",
            backward_radius(bound.p_lower, rate, "insert", p_upper=bound.p_upper, length=length),
        ),
    ]
    return tuple(
        _certificate(evidence, options, classifier, threat, direction, radius, {"deletion": rate})
        for threat, direction, radius in rows
    )


def frs_certificates(
    evidence: Evidence, options: SmoothingOptions, classifier: Classifier, length: int
) -> tuple[Certificate, ...]:
    """The paper's radius (Theorem 1 of FRS), conditional on the search having caught the whole trigger.

    Without fuzzing the rate is the same everywhere and Theorem 1 of uniform deletion proves the radius, if
    units are deleted; masking reveals the length, so only substitutions are covered then.

    Args:
        evidence: The votes.
        options: Rates, alpha, unit and seed.
        classifier: For the label names and the model's fingerprint.
        length: Units of the text.
    """
    del length  # the conditional radius does not depend on it
    bound = evidence.bound
    if not options.fuzzing:
        uniform = represented(options.rate_uniform)
        threat: Threat = "edit" if options.noise == "delete" else "substitute"
        radius = forward_radius(bound.p_lower, uniform, threat, p_upper=bound.p_upper)
        return (
            _certificate(
                evidence, options, classifier, threat, "symmetric", radius, {options.noise: uniform}
            ),
        )
    rates = {"high": represented(options.rate_high), "low": represented(options.rate_low)}
    radius = conditional_radius(bound.p_lower, rates["high"], p_upper=bound.p_upper)
    return (
        _certificate(
            evidence, options, classifier, "trigger", "forward", radius, rates, conditional_on=CONDITION
        ),
    )


def _certificate(
    evidence: Evidence,
    options: SmoothingOptions,
    classifier: Classifier,
    threat: ThreatName,
    direction: Direction,
    radius: int,
    rates: dict[str, float],
    conditional_on: str | None = None,
) -> Certificate:
    bound = evidence.bound
    abstains = radius == NOT_CERTIFIED
    return Certificate(
        label=None if abstains else bound.label,
        label_name=None if abstains else classifier.labels[bound.label],
        radius=radius,
        threat=threat,
        direction=direction,
        unit=options.unit,
        rates=rates,
        alpha=options.alpha,
        method="monte_carlo",
        guarantee="conditional" if conditional_on else "proved",
        conditional_on=conditional_on,
        p_lower=bound.p_lower,
        p_upper=bound.p_upper,
        counts=evidence.counts,
        draws=sum(evidence.counts),
        seed=options.seed,
        model=classifier.fingerprint,
        versions={"fuzzsmooth": VERSION},
    )
