"""The bounds (E1) and (E3) behind the radii, as numbers: what shipped code only compares with 0.

``certified`` is true where the margin of (E3) is positive (tests/certify), and both bounds are held against
the exact worst base classifier (tests/guarantees).
"""

from __future__ import annotations

ROUNDING = 1e-12


def conditional_lower_bound(p_lower: float, source_mass: float, target_mass: float) -> float:
    """(E1) from the probabilities that all unmatched units of the source and of the target are deleted."""
    if source_mass <= 1.0 - p_lower:
        return 0.0
    if p_lower >= 1.0:
        return max(0.0, target_mass - ROUNDING)
    return max(0.0, target_mass * (1.0 - (1.0 - p_lower) / source_mass) - ROUNDING)


def conditional_margin_bound(deficit: float, source_mass: float, target_mass: float) -> float:
    """(E3) from 1 - M at the source and the same two probabilities."""
    if 2.0 * source_mass <= deficit:
        return -1.0
    if deficit <= 0.0:
        return 2.0 * target_mass - 1.0 - ROUNDING
    return max(-1.0, target_mass * (2.0 - deficit / source_mass) - 1.0 - ROUNDING)


def lower_bound(p_lower: float, rate: float, *, unmatched_source: int, unmatched_target: int) -> float:
    """(E1): lower bound on a class probability at the target text, in [0, 1]."""
    return conditional_lower_bound(p_lower, rate**unmatched_source, rate**unmatched_target)


def margin_bound(p_lower: float, rate: float, *, unmatched_source: int, unmatched_target: int) -> float:
    """(E3): lower bound on the margin of two classes at the target text, in [-1, 1]."""
    return conditional_margin_bound(2.0 - 2.0 * p_lower, rate**unmatched_source, rate**unmatched_target)
