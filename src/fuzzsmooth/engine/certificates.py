"""From bounds on class probabilities to certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fuzzsmooth.certify import (
    NOT_CERTIFIED,
    Certificate,
    Direction,
    RateTable,
    Rounding,
    Threat,
    ThreatName,
    exact_frontier,
    exact_radius,
    frontier,
    insertion_budget,
    radius,
    removal_budget,
)
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.engine.evidence import Evidence
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.options import EngineOptions
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import represented
from fuzzsmooth.text.units import UNIT_KINDS, unit_remark


@dataclass(frozen=True)
class Issuer:
    """What all certificates of a classifier have in common.

    Attributes:
        options: Unit, seed, and alpha where anything is drawn.
        classifier: For the label names and the model's fingerprint.
        rounding: What was done about rounding, where it is known.
    """

    options: EngineOptions
    classifier: Classifier
    rounding: Rounding | None = None

    def issue(
        self,
        evidence: Evidence,
        *,
        radius: float,
        threat: ThreatName,
        direction: Direction,
        rates: Mapping[str, float],
        unit: str | None = None,
        condition: str | None = None,
        frontier: tuple[tuple[int, int], ...] = (),
    ) -> Certificate:
        """A certificate with this evidence; ABSTAIN where the radius is -1.

        Args:
            evidence: The votes and bounds.
            radius: The radius.
            threat: What an attacker may do.
            direction: From which text.
            rates: Named rates of the noise.
            unit: What is counted; the unit of the text by default.
            condition: What the claim presupposes beside the condition of rounding; None: nothing.
            frontier: See :class:`fuzzsmooth.certify.Certificate`.
        """
        bound, sampled = evidence.bound, evidence.method == "monte_carlo"
        label = None if radius == NOT_CERTIFIED else bound.label
        conditional_on = joint_condition(condition, self.rounding)
        return Certificate(
            label=label,
            label_name=None if label is None else self.classifier.labels[label],
            radius=radius,
            threat=threat,
            direction=direction,
            unit=unit or self.options.unit,
            rates=rates,
            alpha=self._alpha if sampled else 0.0,
            method=evidence.method,
            guarantee="conditional" if conditional_on else "proved",
            conditional_on=conditional_on,
            p_lower=bound.p_lower,
            p_upper=bound.p_upper,
            counts=evidence.counts,
            draws=evidence.passes,
            seed=self.options.seed if sampled else None,
            model=self.classifier.fingerprint,
            versions={"fuzzsmooth": VERSION},
            rounding=self.rounding,
            frontier=frontier if label is not None else (),
        )

    def certain(
        self,
        label: int | None,
        *,
        radius: int,
        threat: ThreatName,
        direction: Direction,
        passes: int,
        outcome: Literal["label", "label_or_alert"],
    ) -> Certificate:
        """A certificate without chance.

        Args:
            label: The class index; None: ABSTAIN.
            radius: The radius.
            threat: What an attacker may do.
            direction: From which text.
            passes: Model passes.
            outcome: Whether the label is given within the threat, or the label or an alarm.
        """
        condition = joint_condition(None, self.rounding)
        return Certificate(
            label=label,
            label_name=None if label is None else self.classifier.labels[label],
            radius=radius,
            threat=threat,
            direction=direction,
            unit=self.options.unit,
            rates={},
            alpha=0.0,
            method="deterministic",
            guarantee="conditional" if condition else "proved",
            conditional_on=condition,
            draws=passes,
            model=self.classifier.fingerprint,
            versions={"fuzzsmooth": VERSION},
            outcome=outcome,
            rounding=self.rounding,
        )

    @property
    def _alpha(self) -> float:
        alpha: float = getattr(self.options, "alpha", 0.0)
        return alpha


def joint_condition(condition: str | None, rounding: Rounding | None) -> str | None:
    """All that a claim presupposes, as one clause."""
    parts = [part for part in (condition, None if rounding is None else rounding.condition) if part]
    return ", and that ".join(parts) or None


def deletion_certificates(
    evidence: Evidence, issuer: Issuer, rate: float, length: int
) -> tuple[Certificate, ...]:
    """Proved radii of uniform deletion: any edits; insertions forward and backward; deletions; mixes of both.

    From draws by Theorem 1; from all deletions by Theorem 2b, with certainty.

    Args:
        evidence: The votes.
        issuer: Makes the certificates.
        rate: The deletion rate of all units.
        length: Units of the text.
    """
    bound, rate = evidence.bound, represented(rate)

    def reach(threat: Threat) -> int:
        if evidence.exact is not None:
            return exact_radius(evidence.exact, threat)
        return radius(bound.p_lower, rate, threat, p_upper=bound.p_upper, length=length)

    def issue(
        threat: ThreatName, direction: Direction, size: int, mixes: tuple[tuple[int, int], ...] = ()
    ) -> Certificate:
        return issuer.issue(
            evidence,
            radius=size,
            threat=threat,
            direction=direction,
            rates={"deletion": rate},
            frontier=mixes,
        )

    edits, deletions = reach("edit"), reach("delete")
    mixes = (
        frontier(bound.p_lower, rate, p_upper=bound.p_upper, length=length)
        if evidence.exact is None
        else exact_frontier(evidence.exact)
    )
    return (
        issue("edit", "symmetric", edits),
        issue("insert", "forward", reach("insert")),
        # Undoing insertions is deleting.
        issue("insert", "backward", deletions),
        issue("delete", "forward", deletions),
        issue("insert_and_delete", "forward", edits, mixes),
    )


def weighted_certificates(
    evidence: Evidence, issuer: Issuer, units: Units, table: RateTable, rate_flagged: float
) -> tuple[Certificate, ...]:
    """Certificates of deletion at a rate per type (Theorem 4w), the worst case over all types first.

    The plain radii hold for units of any type, listed or not; the budgets for anything whose total cost is
    within them.

    Args:
        evidence: The votes.
        issuer: Makes the certificates.
        units: Units of the text.
        table: The rates; the default is the lowest of all types.
        rate_flagged: The rate of the listed types.
    """
    bound = evidence.bound
    p_lower, p_upper = bound.p_lower, bound.p_upper
    rates = {"default": table.rate(None), "flagged": represented(rate_flagged)}
    worst_edit = table.worst_edit_radius(p_lower, units, p_upper=p_upper)
    worst_insertion = table.worst_insertion_radius(p_lower, p_upper=p_upper)
    worst_removal = table.worst_removal_radius(p_lower, units, p_upper=p_upper)
    if evidence.exact is not None:
        worst_edit = max(worst_edit, exact_radius(evidence.exact, "edit"))
        worst_removal = max(worst_removal, exact_radius(evidence.exact, "delete"))
    abstains = worst_insertion == NOT_CERTIFIED
    forward = insertion_budget(p_lower, p_upper=p_upper)
    backward = min(removal_budget(p_lower, p_upper=p_upper), table.cost(units))

    def issue(threat: ThreatName, direction: Direction, size: float) -> Certificate:
        return issuer.issue(evidence, radius=size, threat=threat, direction=direction, rates=rates)

    def budget(threat: ThreatName, direction: Direction, cost: float) -> Certificate:
        return issuer.issue(
            evidence,
            radius=NOT_CERTIFIED if abstains else cost,
            threat=threat,
            direction=direction,
            rates=rates,
            unit="cost",
        )

    return (
        issue("edit", "symmetric", worst_edit),
        issue("insert", "forward", worst_insertion),
        budget("weighted_insert", "forward", forward),
        budget("weighted_insert", "backward", backward),
        issue("insert", "backward", worst_removal),
        # At a given cost E3 is least where all of it is spent on additions, so these have the same budget.
        budget("weighted_edit", "symmetric", forward),
        issue("delete", "forward", worst_removal),
    )


def costs(table: RateTable, units: Units) -> dict[str, float]:
    """Cost of inserting a unit: of each type of the text that is listed, and of any other under ""."""
    listed = {unit: table.cost([unit]) for unit in dict.fromkeys(units) if unit in table.listed}
    return {"": table.cost([None])} | listed


def remarked(certificates: tuple[Certificate, ...], units: Units) -> tuple[Certificate, ...]:
    """Certificates of a text that say what is counted, where they cover any change of units."""
    return tuple(
        replace(one, remark=unit_remark(one.unit, units))
        if one.radius > 0 and one.unit in UNIT_KINDS
        else one
        for one in certificates
    )
