"""From bounds on class probabilities to certificates, for the modes that vote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fuzzsmooth.certify import (
    CONDITION,
    NOT_CERTIFIED,
    Certificate,
    RateTable,
    Rounding,
    Threat,
    backward_radius,
    conditional_radius,
    exact_radius,
    forward_radius,
    insertion_budget,
    removal_budget,
)
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import represented
from fuzzsmooth.smoothing.evidence import Evidence
from fuzzsmooth.smoothing.fuzzers import Units
from fuzzsmooth.smoothing.options import SmoothingOptions


@dataclass(frozen=True)
class Issuer:
    """What all certificates of a classifier have in common.

    Attributes:
        options: Alpha, unit and seed.
        classifier: For the label names and the model's fingerprint.
        rounding: What was done about rounding, where it is known.
    """

    options: SmoothingOptions
    classifier: Classifier
    rounding: Rounding | None = None

    def issue(self, evidence: Evidence, *, radius: float, **fields: Any) -> Certificate:
        """A certificate with this evidence; ABSTAIN where the radius is -1.

        Args:
            evidence: The votes and bounds.
            radius: The radius.
            **fields: Threat, direction and rates, and what differs from a proved result in units.
        """
        bound, sampled = evidence.bound, evidence.method == "monte_carlo"
        abstains = radius == NOT_CERTIFIED
        values: dict[str, Any] = {
            "label": None if abstains else bound.label,
            "label_name": None if abstains else self.classifier.labels[bound.label],
            "radius": NOT_CERTIFIED if abstains else radius,
            "unit": self.options.unit,
            "alpha": self.options.alpha if sampled else 0.0,
            "method": evidence.method,
            "guarantee": "conditional" if fields.get("conditional_on") else "proved",
            "p_lower": bound.p_lower,
            "p_upper": bound.p_upper,
            "counts": evidence.counts,
            "draws": evidence.passes,
            "seed": self.options.seed if sampled else None,
            "model": self.classifier.fingerprint,
            "versions": {"fuzzsmooth": VERSION},
            "rounding": self.rounding,
        }
        return Certificate(**(values | fields))


def certified_certificates(evidence: Evidence, issuer: Issuer, length: int) -> tuple[Certificate, ...]:
    """Proved radii of uniform deletion: any edits, insertions forward, insertions backward.

    From draws by Theorem 1; from all deletions by Theorem 2b, with certainty.

    Args:
        evidence: The votes.
        issuer: Makes the certificates.
        length: Units of the text.
    """
    bound, rate = evidence.bound, represented(issuer.options.rate)

    def reach(threat: Threat, *, backward: bool = False) -> int:
        if evidence.exact is not None:
            inverse: dict[Threat, Threat] = {"insert": "delete", "edit": "edit"}
            return exact_radius(evidence.exact, inverse[threat] if backward else threat)
        if backward:
            return backward_radius(bound.p_lower, rate, threat, p_upper=bound.p_upper, length=length)
        return forward_radius(bound.p_lower, rate, threat, p_upper=bound.p_upper)

    rates = {"deletion": rate}
    return (
        issuer.issue(evidence, radius=reach("edit"), threat="edit", direction="symmetric", rates=rates),
        issuer.issue(evidence, radius=reach("insert"), threat="insert", direction="forward", rates=rates),
        issuer.issue(
            evidence,
            radius=reach("insert", backward=True),
            threat="insert",
            direction="backward",
            rates=rates,
        ),
    )


def weighted_certificates(
    evidence: Evidence, issuer: Issuer, units: Units, table: RateTable
) -> tuple[Certificate, ...]:
    """Certificates of deletion at a rate per type (Theorem 4w), the worst case over all types first.

    The plain radii hold for units of any type, listed or not; the budgets for anything whose total cost is
    within them.

    Args:
        evidence: The votes.
        issuer: Makes the certificates.
        units: Units of the text.
        table: The rates; the default is the lowest of all types.
    """
    bound = evidence.bound
    p_lower, p_upper = bound.p_lower, bound.p_upper
    rates = {"default": table.rate(None), "flagged": represented(issuer.options.rate_flagged)}
    worst_edit = table.worst_edit_radius(p_lower, units, p_upper=p_upper)
    worst_insertion = table.worst_insertion_radius(p_lower, p_upper=p_upper)
    worst_removal = table.worst_removal_radius(p_lower, units, p_upper=p_upper)
    if evidence.exact is not None:
        worst_edit = max(worst_edit, exact_radius(evidence.exact, "edit"))
        worst_removal = max(worst_removal, exact_radius(evidence.exact, "delete"))
    abstains = worst_insertion == NOT_CERTIFIED
    forward = insertion_budget(p_lower, p_upper=p_upper)
    backward = min(removal_budget(p_lower, p_upper=p_upper), table.cost(units))
    cost = {"threat": "weighted_insert", "unit": "cost", "rates": rates}

    def budget(value: float) -> float:
        return NOT_CERTIFIED if abstains else value

    return (
        issuer.issue(evidence, radius=worst_edit, threat="edit", direction="symmetric", rates=rates),
        issuer.issue(evidence, radius=worst_insertion, threat="insert", direction="forward", rates=rates),
        issuer.issue(evidence, radius=budget(forward), direction="forward", **cost),
        issuer.issue(evidence, radius=budget(backward), direction="backward", **cost),
        issuer.issue(evidence, radius=worst_removal, threat="insert", direction="backward", rates=rates),
    )


def frs_certificates(evidence: Evidence, issuer: Issuer) -> tuple[Certificate, ...]:
    """The paper's radius (Theorem 1 of FRS), conditional on the search having caught the whole trigger.

    Without fuzzing the rate is the same everywhere and Theorem 1 of uniform deletion proves the radius, if
    units are deleted; masking reveals the length, so only substitutions are covered then.

    Args:
        evidence: The votes.
        issuer: Makes the certificates.
    """
    bound, options = evidence.bound, issuer.options
    if not options.fuzzing:
        uniform = represented(options.rate_uniform)
        threat: Threat = "edit" if options.noise == "delete" else "substitute"
        radius = forward_radius(bound.p_lower, uniform, threat, p_upper=bound.p_upper)
        rates = {options.noise: uniform}
        return (issuer.issue(evidence, radius=radius, threat=threat, direction="symmetric", rates=rates),)
    named = {"high": represented(options.rate_high), "low": represented(options.rate_low)}
    condition = CONDITION
    if options.localization_recall is not None:
        named["localization_recall"] = options.localization_recall
        condition += (
            f" (measured: it did in {100 * options.localization_recall:.1f} % of the triggered texts tried)"
        )
    radius = conditional_radius(bound.p_lower, named["high"], p_upper=bound.p_upper)
    return (
        issuer.issue(
            evidence,
            radius=radius,
            threat="trigger",
            direction="forward",
            rates=named,
            conditional_on=condition,
        ),
    )
