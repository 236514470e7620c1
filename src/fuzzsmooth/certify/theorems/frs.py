"""The certificate of Fuzzed Randomized Smoothing as published (arXiv 2502.06892): conditional, never proved.

Theorem 1 deletes each unit of the *vulnerable area* T(x') with the high rate w_H and everything else with
w_L < w_H, and concludes that a trigger of r units is wholly deleted with probability w_H^r. Corollary 1 turns
that into R_new = (ln w_M / ln w_H) R_old against uniform deletion at rate w_M. Both need :data:`CONDITION`.

Why the area must contain the trigger: let h answer "target" iff a trigger unit is present, else A, so that
p_A(x) = 1. If the search misses, two trigger units are deleted only with probability w_L^2; at w_L = .7 that
is .49, so two inserted units change the answer where Corollary 1 with w_M = .7, w_H = .95 claims 13.

Why that is not enough: a trigger may draw the area to words of the text itself. Let h answer A iff the word
"superb" is present. Where an inserted unit makes the search mark "superb" as well, that word is deleted with
rate w_H and the answer changes, though the area contains the whole trigger. If, and only if, all other units
keep their rates, deleting the trigger leaves the law of phi(x). This is then a matter of insertions alone, so
the row ``insert`` of uniform deletion applies, which is larger than the published one.

Masks do not hide how many units there were: h may tell x' by its length, so no insertion is covered. A
substitution of r units is, if they are marked in both texts: both then mask all of them with probability
w_H^r.

The sound alternatives are uniform deletion with fuzzing on what is left (``edit``) and a fixed rate per unit
type (``typed_rates``).
"""

from __future__ import annotations

from fuzzsmooth.certify.theorems.edit import radius

CONDITION = (
    "the search marks in the changed text the whole trigger, and otherwise exactly what it marks in this text"
)
"""What the claims presuppose where units are deleted; to be printed with every number."""

MASKED_CONDITION = "the search marks all changed units in both texts, and otherwise the same ones"
"""What the claim presupposes where units are masked."""


def conditional_radius(
    p_lower: float, rate_high: float, *, p_upper: float | None = None, masked: bool = False
) -> int:
    """Theorem 1: the largest trigger that cannot change the top class, provided :data:`CONDITION`.

    ``trigger`` insertions where units are deleted: w_H^r > 1 / (1 + M), for two classes 1 / (2 p_A). (The
    paper has w_H^r > 1 - M / 2, which is smaller.) Substitutions where they are masked, provided
    :data:`MASKED_CONDITION`: w_H^r > 1 - M / 2. The result is of guarantee ``conditional``.

    Args:
        p_lower: Lower bound on the probability of the top class under the two-rate noise, in [0, 1].
        rate_high: Rate w_H inside the vulnerable area, in [0, 1).
        p_upper: Upper bound on every other class; ``None`` means 1 - p_lower.
        masked: Whether units are masked instead of deleted.

    Returns:
        The radius in units, or -1 for ABSTAIN as in :func:`fuzzsmooth.certify.radius`.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    return radius(p_lower, rate_high, "substitute" if masked else "insert", p_upper=p_upper)
