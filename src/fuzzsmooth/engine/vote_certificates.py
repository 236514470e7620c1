"""Which certificates the votes on a text give, by mode, and the answer with them."""

from __future__ import annotations

from fuzzsmooth.certify import Certificate, RateTable
from fuzzsmooth.engine.certificates import (
    Issuer,
    certified_certificates,
    frs_certificates,
    weighted_certificates,
)
from fuzzsmooth.engine.evidence import Evidence
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.results import Certification
from fuzzsmooth.engine.sampler import Plan
from fuzzsmooth.engine.weight_distance import weight_certificates
from fuzzsmooth.search.scan import Scan


def vote_certificates(
    evidence: Evidence, issuer: Issuer, plan: Plan, table: RateTable | None
) -> tuple[Certificate, ...]:
    """All certificates of a text, the main one first.

    Args:
        evidence: Its votes.
        issuer: Makes the certificates.
        plan: The text and its rates.
        table: The rates per type in mode "certified", where there are any.

    Raises:
        FuzzsmoothError: If a weight distance is to be certified and draws share their weight noise.
    """
    options = issuer.options
    if options.mode == "frs":
        return frs_certificates(evidence, issuer)
    if table is not None:
        return weighted_certificates(evidence, issuer, plan.units, table)
    certificates = certified_certificates(evidence, issuer, len(plan.units))
    if options.weight_distance is not None:
        certificates += weight_certificates(evidence, issuer, plan.key, len(plan.units))
    return certificates


def vote_certification(
    evidence: Evidence,
    issuer: Issuer,
    plan: Plan,
    table: RateTable | None,
    *,
    truncated: bool,
    scan: Scan | None,
) -> Certification:
    """The certified answer to a text; the arguments are those of :func:`vote_certificates`.

    Args:
        evidence: Its votes.
        issuer: Makes the certificates.
        plan: The text and its rates.
        table: The rates per type in mode "certified", where there are any.
        truncated: Whether it is longer than the model reads.
        scan: The scan that guided the randomization, or None.
    """
    certificates = vote_certificates(evidence, issuer, plan, table)
    main = certificates[0]
    return Certification(
        main.label,
        main.label_name,
        certificates,
        evidence.counts,
        truncated,
        scan,
        "answered" if main.label is not None else "abstain",
        evidence.passes,
        evidence.statistics,
        {} if table is None else costs(table, plan.units),
    )


def costs(table: RateTable, units: Units) -> dict[str, float]:
    """Cost of inserting a unit: of each type of the text that is listed, and of any other under ""."""
    listed = {unit: table.cost([unit]) for unit in dict.fromkeys(units) if unit in table.listed}
    return {"": table.cost([None])} | listed
