r"""Edit-distance certificates of uniform deletion: Theorem 1, the (a, b)-engine.

Let phi(x) delete each unit of x independently with probability w, h be any base classifier, deterministic or
random, and p_c(x) = P[h(phi(x)) = c]. For two texts x (source, where p was measured) and x' (target) and any
common subsequence z, let **a** units of x and **b** units of x' be unmatched by z. Conditioning on "all
unmatched units are deleted", which leaves exactly phi(z), gives with the margin M = p_A - p_B

* (E1)  p_c(x') >= w^(b-a) (p_c(x) - 1 + w^a)
* (E3)  M(x')   >= w^b (2 - (1 - M) w^(-a)) - 1

and r edits in unrestricted Damerau-Levenshtein distance have a, b <= r (an adjacent transposition costs
what a substitution costs), r insertions a = 0, b = r, and r deletions a = r, b = 0. All bounds are attained
by some h, so they cannot be improved from p_A alone. The setting is that of RS-Del (arXiv 2302.01757) and
CERT-ED (arXiv 2408.00728). Whatever reads only phi(x) and fresh randomness, fuzzing included, is part of h.

The distance ball is symmetric, one-sided threats are not, hence two names that are never to be mixed:

* :func:`forward_radius`: p was measured on the CLEAN text, the attacker acts afterwards;
* :func:`backward_radius`: p was measured on the RECEIVED text, the attacker has already acted.

Checked by machine (``make proofs``): ``proofs/LemmaA.v`` (lemma_A, E1, E3), ``proofs/LemmaB.v``
(lemma_B_edits, lemma_B_insertions, lemma_B_deletions, lemma_B_mixtures), ``proofs/T1.v`` (T1_edits,
T1_insertions, T1_deletions, T1_backward_insertions, T1_mixtures), with fuzzing ``proofs/T3.v`` (T3_edits,
T3_insertions, T3_deletions, T3_mixtures).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from fuzzsmooth.certify.threats import OPERATIONS, THREATS, Threat
from fuzzsmooth.common.options import require

NOT_CERTIFIED = -1
"""Radius of a text whose top class is not certified at all: the answer must be ABSTAIN."""

UNBOUNDED = sys.maxsize
"""Radius that no number of edits exceeds."""

# Far above the rounding error of the few float operations below (about 1e-15), far below any real margin.
ROUNDING = 1e-12


def certified(
    p_lower: float, rate: float, *, unmatched_source: int, unmatched_target: int, p_upper: float | None = None
) -> bool:
    """Whether the top class is the same at every target within a mixed threat of (a, b) unmatched units.

    Args:
        p_lower: Lower bound on p_A at the source text, in [0, 1].
        rate: Deletion rate, in [0, 1), used as given; for votes drawn with 32-bit coins that is
            :func:`fuzzsmooth.certify.exact_rate` of the rate wanted.
        unmatched_source: a, units of the source outside the common subsequence.
        unmatched_target: b, units of the target outside the common subsequence.
        p_upper: Upper bound on p_B of every other class at the source; ``None`` means 1 - p_lower.

    Returns:
        Whether (E3) is positive; at (0, 0), whether the top class is certified at all.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    deficit = _deficit(p_lower, p_upper)
    require(
        unmatched_source >= 0 and unmatched_target >= 0,
        f"unmatched units must be at least 0, got {unmatched_source} and {unmatched_target}",
    )
    rate = checked_rate(rate)
    source = rate**unmatched_source
    if rate > 0.0:  # however small, it is not nothing
        source = max(source, sys.float_info.min)
    return conditionally_certified(deficit, source, rate**unmatched_target)


def conditionally_certified(deficit: float, source_mass: float, target_mass: float) -> bool:
    """Whether (E3) is positive, strictly and with the rounding margin on the side of the defender's doubt."""
    if deficit <= 0.0:
        return source_mass > 0.0 and 2.0 * target_mass > 1.0 + ROUNDING
    return target_mass * (2.0 * source_mass - deficit - ROUNDING) > source_mass * (1.0 + ROUNDING)


def radius(
    p_lower: float,
    rate: float,
    threat: Threat = "edit",
    *,
    p_upper: float | None = None,
    length: int | None = None,
) -> int:
    """Largest number of operations that cannot change the top class, from the text where p was measured.

    ============================  ======================  =======================
    threat                        certified iff           two classes
    ============================  ======================  =======================
    edit, substitute, transpose   w^r > 1 - M / 2         w^r > 3/2 - p_A
    insert                        w^r > 1 / (1 + M)       w^r > 1 / (2 p_A)
    delete                        w^r > 1 - M             w^r > 2 - 2 p_A
    ============================  ======================  =======================

    Args:
        p_lower: Lower bound on p_A, in [0, 1].
        rate: Deletion rate w, in [0, 1), used as given, see :func:`certified`.
        threat: What may be done to the text; ``edit`` is unrestricted Damerau-Levenshtein distance.
        p_upper: Upper bound on p_B of every other class; ``None`` means 1 - p_lower.
        length: Units of the text; caps the radius of ``delete``, which more units cannot be deleted than.

    Returns:
        The radius r >= 0, or :data:`NOT_CERTIFIED` (-1) if the top class is not certified even unchanged:
        ABSTAIN. ``delete`` with M = 1 (p_A exactly 1) and no ``length`` gives :data:`UNBOUNDED`.

    Raises:
        FuzzsmoothError: If an argument is out of range or the threat is unknown.

    >>> [radius(0.95, 0.9, threat) for threat in ("edit", "insert", "delete")]
    [5, 6, 21]
    >>> radius(0.45, 0.9)  # not even the text as it stands
    -1
    """
    check_threat(threat)
    require(length is None or length >= 0, f"length must be at least 0, got {length}")
    deficit = _deficit(p_lower, p_upper)
    margin = 1.0 - deficit
    if margin <= 0.0:
        return NOT_CERTIFIED
    if threat == "insert":
        found = _largest_exponent(1.0 / (1.0 + margin), rate)
    elif threat == "delete":
        found = _largest_exponent(deficit, rate)
        found = found if length is None else min(found, length)
    else:
        found = _largest_exponent(1.0 - margin / 2.0, rate)
    return found


def frontier(
    p_lower: float,
    rate: float,
    *,
    p_upper: float | None = None,
    length: int | None = None,
    most: int = 1000,
) -> tuple[tuple[int, int], ...]:
    """The largest mixtures of insertions and deletions that cannot change the top class, by (E3).

    A text that is reached by at most b insertions and a deletions in any order keeps the top class if some
    pair has at least that many of both. Substituting or moving a unit counts as one of each.

    Args:
        p_lower: Lower bound on p_A at the text the changes start from, in [0, 1].
        rate: Deletion rate, in [0, 1), used as given, see :func:`certified`.
        p_upper: Upper bound on p_B of every other class; ``None`` means 1 - p_lower.
        length: Units of the text, more than which cannot be deleted; caps the deletions.
        most: Insertions listed at most, >= 0: rates very near to 1 have endless lists.

    Returns:
        Pairs (inserted, deleted) by increasing insertions, none within another; empty if the top class is
        not certified at all. Deletions are :data:`UNBOUNDED` where p_A is exactly 1 and no length is given.

    Raises:
        FuzzsmoothError: If an argument is out of range.

    >>> frontier(0.9, 0.9)  # none inserted and 15 deleted, or 1 and 14, ...
    ((0, 15), (1, 14), (2, 12), (3, 10), (4, 8), (5, 4))
    """
    require(length is None or length >= 0, f"length must be at least 0, got {length}")
    require(most >= 0, f"the most insertions listed must be at least 0, got {most}")
    deficit, furthest = _deficit(p_lower, p_upper), radius(p_lower, rate, "insert", p_upper=p_upper)
    reached = [_most_deleted(deficit, rate, inserted) for inserted in range(min(furthest, most) + 1)]
    if length is not None:
        reached = [min(deleted, length) for deleted in reached]
    return maximal_pairs(reached)


def maximal_pairs(deleted: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Pairs (b, deleted[b]) of a sequence that never grows, without those within the next; -1 ends it."""
    steps = enumerate(pairwise([*deleted, NOT_CERTIFIED]))
    return tuple((inserted, count) for inserted, (count, after) in steps if count > after)


def _most_deleted(deficit: float, rate: float, inserted: int) -> int:
    """Largest a with w^a > (1 - M) / (2 - w^-b), which is (E3) > 0; NOT_CERTIFIED if there is none."""
    room = 2.0 - checked_rate(rate) ** -inserted
    return _largest_exponent(deficit / room, rate) if room > ROUNDING else NOT_CERTIFIED


def forward_radius(
    p_lower_clean: float,
    rate: float,
    threat: Threat = "insert",
    *,
    p_upper: float | None = None,
    length: int | None = None,
) -> int:
    """Radius from the CLEAN text: "no <threat> of up to r units changes this answer".

    This is what certified accuracy counts. Arguments, result and errors as for :func:`radius`, with the
    bounds measured on the clean text.
    """
    return radius(p_lower_clean, rate, threat, p_upper=p_upper, length=length)


def backward_radius(
    p_lower_received: float,
    rate: float,
    threat: Threat = "insert",
    *,
    p_upper: float | None = None,
    length: int | None = None,
) -> int:
    """Radius from the RECEIVED text: "if up to r units were <threat>ed, the answer is still the original's".

    Undoing insertions is deleting, so ``insert`` uses the row ``delete`` of :func:`radius`, which is much
    larger. It says that nothing happened; it does not promise to survive an attack, which lowers p at the
    received text.

    Args:
        p_lower_received: Lower bound on p_A at the received text, in [0, 1].
        rate: Deletion rate, in [0, 1).
        threat: What the attacker may have done to the unknown original.
        p_upper: Upper bound on p_B at the received text; ``None`` means 1 - p_lower_received.
        length: Units of the received text; no more than these can have been inserted.

    Returns:
        As :func:`radius`.

    Raises:
        FuzzsmoothError: If an argument is out of range or the threat is unknown.

    >>> backward_radius(0.95, 0.9), backward_radius(0.95, 0.9, length=12)
    (21, 12)
    """
    check_threat(threat)
    undone = cast(Threat, THREATS[threat].inverse)
    return radius(p_lower_received, rate, undone, p_upper=p_upper, length=length)


def _largest_exponent(threshold: float, rate: float) -> int:
    """Largest r >= 0 with w^r > threshold strictly, or NOT_CERTIFIED if even r = 0 fails."""
    rate = checked_rate(rate)
    if threshold <= 0.0 and rate > 0.0:
        return UNBOUNDED
    if not threshold + ROUNDING < 1.0:
        return NOT_CERTIFIED
    if rate == 0.0:
        return 0
    found = math.floor(math.log(threshold + ROUNDING) / math.log(rate)) + 1  # one more, against rounding
    while not rate**found > threshold + ROUNDING:
        found -= 1
    return found


def _deficit(p_lower: float, p_upper: float | None) -> float:
    """1 - M, for the margin M = p_A - p_B."""
    check_probability(p_lower, "p_lower")
    if p_upper is None:
        return 2.0 * (1.0 - p_lower)
    check_probability(p_upper, "p_upper")
    return 1.0 - p_lower + min(p_upper, complement_upper(p_lower))


def checked_rate(rate: float) -> float:
    """The rate itself, once it is known to be one.

    Raises:
        FuzzsmoothError: If the rate is not in [0, 1).
    """
    require(
        isinstance(rate, float | int) and math.isfinite(rate) and 0.0 <= rate < 1.0,
        f"a deletion rate must lie in [0, 1), got {rate!r}",
    )
    return float(rate)


def complement_upper(p_lower: float) -> float:
    """1 - p_lower, rounded up: an upper bound on every probability that shares the simplex with it."""
    return min(1.0, math.nextafter(1.0 - p_lower, math.inf)) if p_lower > 0.0 else 1.0


def check_threat(threat: Threat) -> None:
    """Raise unless a threat is one that :func:`radius` knows."""
    require(threat in OPERATIONS, f"threat must be one of {', '.join(OPERATIONS)}, got {threat!r}")


def check_probability(value: float, name: str) -> None:
    """Raise unless a value, called ``name``, is a probability."""
    require(0.0 <= value <= 1.0, f"{name} must be a probability in [0, 1], got {value!r}")
