"""As few passes as a bound as sharp as that of plain draws takes.

Draws from what enumeration has left have only that much to say: where the masks enumerated have probability
m, the bound on the class probability moves by (1 - m) times the bound on the conditional one. So a fraction
of about (1 - m)^2 of the draws is as good as all of them without enumeration. What that fraction is exactly
depends on the enumerated part, which is no random quantity, so it may decide how many draws are planned.
"""

from __future__ import annotations

import math

import numpy as np

from fuzzsmooth.certify import LAST_SHARE, MOST_MASS, mask_probability, stratum_mass

_SHARES = np.linspace(0.0, 1.0, 41)  # conditional probabilities at which bounds are compared


def plan_looks(length: int, rate: float, draws: int) -> tuple[int | None, float]:
    """How many units the enumerated masks keep at most, so that passes are expected to be fewest.

    Args:
        length: Units of the text.
        rate: Deletion rate.
        draws: Plain draws whose sharpness is wanted.

    Returns:
        J, or None for no enumeration, and the distinct masks expected to be asked about.
    """
    best: tuple[int | None, float] = (None, _distinct(length, rate, -1, draws))
    cost = 0
    for kept in range(length + 1):
        cost += math.comb(length, kept)
        if cost > draws:
            break
        mass = stratum_mass(length, rate, kept)
        rest = 0 if mass >= MOST_MASS else math.ceil(draws * (1 - mass) ** 2)
        passes = cost + _distinct(length, rate, kept, rest)
        if passes < best[1]:
            best = (kept, passes)
    return best


def equal_draws(exact_part: float, mass: float, draws: int, *, alpha: float, plain_alpha: float) -> int:
    """Conditional draws that bound a class probability as sharply as plain draws would.

    Compared at the cap and at the expected counts, for every conditional probability of the class: its bound
    must not lie lower.

    Args:
        exact_part: Enumerated probability of the class.
        mass: Probability of all enumerated masks, < 1.
        draws: Plain draws, >= 1.
        alpha: Error probability of the conditional bound, its looks included.
        plain_alpha: Error probability of the plain one, a single look.

    Returns:
        At most ``draws``.
    """
    whole = exact_part + (1 - mass) * _SHARES
    wanted = _lower(whole, draws, plain_alpha)

    def suffices(count: int) -> bool:
        found = exact_part + (1 - mass) * _lower(_SHARES, count, LAST_SHARE * alpha)
        return bool((found >= wanted - 1e-12).all())

    low, high = 0, draws  # the answer lies in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def contenders(exact_parts: tuple[float, ...], mass: float, *, sure: bool = False) -> tuple[int, ...]:
    """The classes worth testing: the enumerated leader alone, if it can hardly be overtaken.

    Any rule is sound, because what it looks at is not random; a class left out is only not certified.

    Args:
        exact_parts: Enumerated probability of each class.
        mass: Probability of all enumerated masks.
        sure: Whether the leader must not be overtaken even by a class that has all that is left; otherwise
            one would need three quarters of it.
    """
    order = sorted(range(len(exact_parts)), key=lambda label: -exact_parts[label])
    lead = exact_parts[order[0]] - exact_parts[order[1]]
    needed = (1 - mass) * (1.0 if sure else 0.5)
    return (order[0],) if lead >= needed else tuple(range(len(exact_parts)))


def _lower(shares: np.ndarray, draws: int, alpha: float) -> np.ndarray:
    """Clopper-Pearson at real-valued counts; 0 without successes."""
    from scipy.special import betaincinv

    counts = shares * draws
    bounds = betaincinv(np.maximum(counts, 1e-9), draws - counts + 1, alpha)
    return np.where(counts > 0, bounds, 0.0)


def _distinct(length: int, rate: float, most_kept: int, draws: int) -> float:
    """Distinct masks expected among draws that keep more than ``most_kept`` units."""
    mass = stratum_mass(length, rate, most_kept) if most_kept >= 0 else 0.0
    total = 0.0
    for kept in range(most_kept + 1, length + 1):
        one = mask_probability((1 << kept) - 1, length, rate) / (1 - mass)
        total += math.comb(length, kept) * -math.expm1(draws * math.log1p(-min(one, 1 - 1e-15)))
    return total
