"""Certificates about the weights (Theorem 6): conditional on how far training moved them, and where.

They are about classifiers that read the noised weights with their noise and not otherwise, so nothing may be
fuzzed: a search reads them without. They need an independent weight draw per sample. The draws of a text are
addressed by (seed, purpose, text, draw index), so they are fresh by construction; that they are is checked
all the same before anything is claimed, because reused draws would make the samples dependent without any
other sign.
"""

from __future__ import annotations

from fuzzsmooth.certify import (
    WEIGHT_CONDITION,
    Certificate,
    Direction,
    Threat,
    ThreatName,
    check_fresh_draws,
    floored,
    joint_radius,
    weight_radius,
)
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.evidence import PURPOSE, Evidence
from fuzzsmooth.noise.text import represented


def weight_seeds(seed: int, key: int, draws: int) -> list[int]:
    """The seeds of the weight noise that the sampler gives the draws of a text's certificate."""
    return [derived_seed(seed, f"{PURPOSE}-weights", key, draw) for draw in range(draws)]


def weight_certificates(
    evidence: Evidence, issuer: Issuer, key: int, length: int, *, rate: float, sigma: float, distance: float
) -> tuple[Certificate, ...]:
    """The largest certified weight distance, and edits and insertions together with a given one.

    Args:
        evidence: The votes, each under a weight draw of its own.
        issuer: Makes the certificates.
        key: Key of the text, which addresses its draws.
        length: Units of the text.
        rate: The deletion rate of all units.
        sigma: Standard deviation of the noise on the weights.
        distance: The given distance, in noise standard deviations.

    Raises:
        FuzzsmoothError: If two draws share their weight noise.
    """
    bound, rate = evidence.bound, represented(rate)
    check_fresh_draws(weight_seeds(issuer.options.seed, key, evidence.draws))
    rates = {"deletion": rate, "sigma": sigma}
    reach = weight_radius(bound.p_lower, p_upper=bound.p_upper)
    alone = issuer.issue(
        evidence,
        radius=reach,
        threat="weights",
        direction="symmetric",
        unit="standard deviation",
        rates=rates,
        condition=WEIGHT_CONDITION.format(delta=floored(max(0.0, reach))),
    )

    def joint(threat: Threat, name: ThreatName, direction: Direction) -> Certificate:
        return issuer.issue(
            evidence,
            radius=joint_radius(bound.p_lower, rate, distance, threat, length=length),
            threat=name,
            direction=direction,
            rates=rates | {"delta": distance},
            condition=WEIGHT_CONDITION.format(delta=floored(distance)),
        )

    return (
        alone,
        joint("edit", "edit_and_weights", "symmetric"),
        joint("delete", "insert_and_weights", "backward"),
        joint("insert", "insert_and_weights", "forward"),
    )
