"""Theorem 6: Gaussian noise on the weights, alone and together with deletion of units.

With noise N(0, sigma^2 I) on some layers, drawn fresh for every sample and independent of the deletion mask,
let delta = ||theta - theta'||_2 / sigma on these coordinates, ALL other weights being identical. Then

* weights only:  p' >= Phi(Phi^-1(p) - delta)
* jointly:       p' >= w^b Phi(Phi^-1((p - 1 + w^a) / w^a) - delta), and 0 if p <= 1 - w^a,

the second by going from x to the common subsequence, from theta to theta' there, and on to x'. It is the
exact Neyman-Pearson value, hence at least both ways of chaining the two bounds.

Every result is conditional on delta and worthless when a backdoor moved un-noised layers. It needs an
independent weight draw per sample: :func:`check_fresh_draws` refuses anything else, since reused draws make
the samples dependent (S reused draws are ONE fixed ensemble, for which only the edit certificate may be
claimed).
"""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.certify.theorems.edit import NOT_CERTIFIED, ROUNDING, check_probability, checked_rate, radius
from fuzzsmooth.certify.theorems.typed_rates import insertion_margin
from fuzzsmooth.certify.threats import Threat
from fuzzsmooth.common.options import require

# The normal distribution function and its inverse are accurate to about 1e-14 in the range used here.
_ROUNDING = 10 * ROUNDING

WEIGHT_CONDITION = (
    "the clean weights differ from these only in the noised layers"
    " and by at most {delta} noise standard deviations"
)
"""What every weight certificate presupposes; to be filled in and printed with it."""


def weight_lower_bound(p_lower: float, delta: float) -> float:
    """Lower bound on a class probability at weights delta standard deviations away, the text unchanged.

    Args:
        p_lower: Lower bound on the class probability under the noise, in [0, 1].
        delta: ||theta - theta'|| / sigma on the noised coordinates, >= 0.

    Returns:
        A probability in [0, 1], rounded down.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    from scipy.special import ndtr, ndtri

    _check(p_lower, delta)
    if p_lower <= 0.0 or p_lower >= 1.0:
        return float(p_lower)
    return max(0.0, float(ndtr(ndtri(p_lower) - delta)) - _ROUNDING)


def joint_lower_bound(
    p_lower: float, rate: float, delta: float, *, unmatched_source: int, unmatched_target: int
) -> float:
    """Theorem 6: lower bound on a class probability at another text AND other weights.

    Args:
        p_lower: Lower bound on the class probability at this text under this noise, in [0, 1].
        rate: Deletion rate, in [0, 1).
        delta: Weight distance in standard deviations, >= 0.
        unmatched_source: a, units of this text outside the common subsequence.
        unmatched_target: b, units of the other text outside it.

    Returns:
        A probability in [0, 1], rounded down.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    _check(p_lower, delta)
    require(unmatched_source >= 0 and unmatched_target >= 0, "unmatched units must be at least 0")
    source, target = checked_rate(rate) ** unmatched_source, checked_rate(rate) ** unmatched_target
    if source <= 1.0 - p_lower:
        return 0.0
    shared = 1.0 - (1.0 - p_lower) / source
    return max(0.0, target * weight_lower_bound(shared, delta) - _ROUNDING)


def weight_radius(p_lower: float, *, p_upper: float | None = None) -> float:
    """Largest certified weight distance in standard deviations: (Phi^-1(p_A) - Phi^-1(p_B)) / 2.

    Args:
        p_lower: Lower bound on p_A, in [0, 1).
        p_upper: Upper bound on p_B; ``None`` means 1 - p_lower.

    Returns:
        A distance >= 0 every strictly smaller delta of which keeps the top class, rounded down; -1 for
        ABSTAIN.

    Raises:
        FuzzsmoothError: If a probability is out of range, or p_lower is 1, which draws cannot show.

    >>> round(weight_radius(0.95), 3)
    1.645
    """
    from scipy.special import ndtri

    margin = insertion_margin(p_lower, p_upper)
    require(p_lower < 1.0, "a weight radius needs p_lower below 1; bound it from draws first")
    if margin <= ROUNDING:
        return float(NOT_CERTIFIED)
    rival = p_lower - margin
    high, low = float(ndtri(p_lower)), float(ndtri(max(rival, 1e-300)))
    return max(0.0, (high - low) / 2.0 * (1.0 - 1e-9) - _ROUNDING)


def joint_radius(
    p_lower: float, rate: float, delta: float, threat: Threat = "edit", *, length: int | None = None
) -> int:
    """Largest number of operations certified together with a weight distance of delta (majority form).

    Args:
        p_lower: Lower bound on p_A, in [0, 1]; the rivals get 1 - p_A.
        rate: Deletion rate, in [0, 1).
        delta: Weight distance in standard deviations, >= 0; 0 gives the edit certificate again.
        threat: As in :func:`fuzzsmooth.certify.radius`; ``delete`` without weights in reach of 1 ends at
            the radius of the edit certificate.
        length: Units of the text, which caps the radius of ``delete`` as it does there.

    Returns:
        The radius, or -1 for ABSTAIN.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    _check(p_lower, delta)
    limit = radius(p_lower, rate, threat, length=length)  # the joint bound is never above the edit bound
    require(limit < 1_000_000, "a joint radius needs p_lower below 1; bound it from draws first")
    size = NOT_CERTIFIED
    while size < limit:
        following = size + 1
        bound = joint_lower_bound(
            p_lower,
            rate,
            delta,
            unmatched_source=0 if threat == "insert" else following,
            unmatched_target=0 if threat == "delete" else following,
        )
        if not bound > 0.5:
            break
        size = following
    return size


def check_fresh_draws(weight_seeds: Sequence[int]) -> None:
    """Refuse weight certificates from samples that share a weight draw.

    Args:
        weight_seeds: Seed of the weight draw of every sample, selection and estimation samples together.

    Raises:
        FuzzsmoothError: If two samples used the same draw.
    """
    reused = len(weight_seeds) - len(set(weight_seeds))
    require(
        reused == 0,
        f"{reused} of {len(weight_seeds)} samples reuse a weight draw, so they are not independent: draw the"
        " weight noise afresh for every sample, or claim the edit certificate of the fixed ensemble only",
    )


def _check(p_lower: float, delta: float) -> None:
    check_probability(p_lower, "p_lower")
    require(delta >= 0.0, f"the weight distance must be at least 0, got {delta!r}")
