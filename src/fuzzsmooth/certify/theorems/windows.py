"""Theorem 5: deterministic certificates by two-round ablation, for any deterministic base classifier h.

For a received text s and a family D(s) of deletions:

1. L[g] = h(s - g) for every g in D(s). If unanimous, return it; let maj be the most common label.
2. For each g with L[g] != maj: if h(s - (g or u)) = L[g] for all u in D(s), return L[g].
   Otherwise return maj.

**Theorem.** If for the clean x behind s some g in D(s) has h(s - (g or u)) = y for ALL u in D(s), the answer
is y. (Take u = g: L[g] = y. A wrong minority g' fails at u = g. If maj != y, g itself is in the minority
and passes.) This is the argument of PatchCleanser (arXiv 2108.09135), for deletions. With
windows of every length 0..m (ELDD), g can be exactly an inserted trigger, so that only single windows of x
matter.

The family is part of the defense and is fixed before any text is seen: choosing m by looking at the text
voids the certificate. A pass budget that is too small yields ``budget_exceeded`` and no claim; and since the
procedure may run out of a budget on an attacker's text, a certificate for a budgeted procedure is one for
"the label or budget_exceeded" unless :func:`most_passes` fits into the budget.

Rounding: a certificate counts an answer inside the guard band as no label, so every remainder of x that the
proof needs keeps its label however a later pass is batched. The procedure itself takes labels as they come;
the proof allows any answer on all other strings.

Checked by machine (``make proofs``): ``proofs/T5.v`` (T5, T5_inserted_piece, T5_detection),
``proofs/T5_forms.v`` (T5_scattered_insertions, T5_scattered_edits, T5_replaced_block, T5_edited_block).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Literal

from fuzzsmooth.certify.theorems.oracle import UNDECIDED, BudgetExceededError, MaskOracle, Procedure, Steps
from fuzzsmooth.common.options import require

Status = Literal["unanimous", "second_round", "majority", "alert", "budget_exceeded"]


@dataclass(frozen=True)
class Family:
    """The deletions of an ablation procedure: a function of the length of the RECEIVED text alone.

    Attributes:
        masks: From the number of units of a text to what its deletions leave, as masks whose bit i says that
            unit i is kept; distinct, in a fixed order, those that keep the most units first.
        count: From the number of units to the number of masks, without making them.
    """

    masks: Callable[[int], Sequence[int]]
    count: Callable[[int], int]

    def __call__(self, length: int) -> Sequence[int]:
        """The masks for a text of ``length`` units."""
        return self.masks(length)


def contiguous(lengths: Sequence[int]) -> Family:
    """All contiguous windows of the given lengths are deleted, in turn.

    Args:
        lengths: Window lengths >= 0, at least one; a window longer than the text is the whole text.

    Raises:
        FuzzsmoothError: If there is no length, or a negative one.
    """
    require(len(lengths) > 0 and min(lengths) >= 0, "window lengths must be given and be at least 0")

    def deleted(length: int) -> list[int]:
        return sorted({min(size, length) for size in lengths})

    def places(length: int, size: int) -> int:
        return 1 if size == 0 else length - size + 1

    def masks(length: int) -> list[int]:
        full = (1 << length) - 1
        return [
            full & ~(((1 << size) - 1) << start)
            for size in deleted(length)
            for start in range(places(length, size))
        ]

    return Family(masks, lambda length: sum(places(length, size) for size in deleted(length)))


def contiguous_up_to(longest: int) -> Family:
    """All contiguous windows of length 0..longest (ELDD): 1 + m n - m (m - 1) / 2 for n >= m."""
    require(longest >= 1, f"the longest trigger must be at least 1 unit, got {longest}")
    return contiguous(range(longest + 1))


def scattered(most: int) -> Family:
    """All sets of at most ``most`` units are deleted, fewest first: sum of C(n, q)."""
    require(most >= 1, f"at least one scattered unit must be covered, got {most}")

    def deleted(length: int) -> range:
        return range(min(most, length) + 1)

    return Family(
        lambda length: list(_without(length, deleted(length))),
        lambda length: sum(math.comb(length, size) for size in deleted(length)),
    )


def _without(length: int, sizes: Iterable[int]) -> Iterator[int]:
    """What is left without each set of units of these sizes, in their order."""
    full = (1 << length) - 1
    return (
        full - sum(1 << unit for unit in gone) for size in sizes for gone in combinations(range(length), size)
    )


@dataclass(frozen=True)
class Ablation:
    """The answer of an ablation procedure on a received text.

    Attributes:
        label: Class index; ``None`` for ``alert`` and ``budget_exceeded``.
        status: Which step answered.
        passes: Model passes spent on this text so far.
        votes: Labels of the first round with their numbers, by label; empty for ``budget_exceeded``.
    """

    label: int | None
    status: Status
    passes: int
    votes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class AblationCertificate:
    """Whether a procedure keeps its answer on a clean text under a threat, decided without sampling.

    Attributes:
        label: h(x), the label that is kept; ``None`` if the budget was exceeded before anything was known, or
            if h(x) is undecided.
        certified: Whether every text within the threat is answered with ``label`` (or, for detection, with
            ``label`` or an alert).
        passes: Model passes spent on this text so far.
        budget_exceeded: Whether the passes ran out; then ``certified`` is False because it is unknown.
    """

    label: int | None
    certified: bool
    passes: int
    budget_exceeded: bool = False


@Procedure
def two_round_ablation(oracle: MaskOracle, family: Family) -> Steps[Ablation]:
    """The procedure of the module's head on a received text.

    Args:
        oracle: The base classifier on subsets of the received text.
        family: Its deletions, the same as when certifying.
    """
    kept = family(oracle.length)
    try:
        labels = yield from oracle.labels(kept)
        votes = Counter(labels)
        first = tuple(sorted(votes.items()))
        majority = min(votes, key=lambda label: (-votes[label], label))
        if len(votes) == 1:
            return Ablation(majority, "unanimous", oracle.passes, first)
        for mask, label in zip(kept, labels, strict=True):
            if label == majority:
                continue
            if (yield from oracle.all_equal((mask & other for other in kept), label)):
                return Ablation(label, "second_round", oracle.passes, first)
    except BudgetExceededError:
        return Ablation(None, "budget_exceeded", oracle.passes)
    return Ablation(majority, "majority", oracle.passes, first)


@Procedure
def detect(oracle: MaskOracle, family: Family) -> Steps[Ablation]:
    """One round only: the unanimous label, or an alert, also where an answer is undecided.

    With windows of every length 0..m: if s was made from x by inserting at most m contiguous units, the
    answer is h(x) or an alert (forward). And if the answer on s is a label c, then h(x) = c for the original
    x, whatever it was (backward), without any condition on x.
    """
    try:
        labels = yield from oracle.labels(family(oracle.length))
    except BudgetExceededError:
        return Ablation(None, "budget_exceeded", oracle.passes)
    votes = tuple(sorted(Counter(labels).items()))
    if len(votes) > 1 or UNDECIDED in labels:
        return Ablation(None, "alert", oracle.passes, votes)
    return Ablation(labels[0], "unanimous", oracle.passes, votes)


def most_passes(family: Family, length: int) -> int:
    """Most passes of :func:`two_round_ablation` on any text of ``length`` units: all pairs of deletions."""
    count = family.count(length)
    return count * (count + 1) // 2


@Procedure
def certify_contiguous_insertion(oracle: MaskOracle, longest: int) -> Steps[AblationCertificate]:
    """ELDD: two-round ablation with ``contiguous_up_to(longest)`` against one inserted piece of 0..longest.

    Certified iff h(x - U) = h(x) for every contiguous U of at most ``longest`` units.
    """
    return (yield from _certify_all(oracle, reversed(contiguous_up_to(longest)(oracle.length))))


@Procedure
def certify_contiguous_edit(oracle: MaskOracle, longest: int) -> Steps[AblationCertificate]:
    """The same procedure against one block of <= ``longest`` units replaced by at most as many others.

    Certified if h(x - (U1 or U2)) = h(x) for every window U1 of x and window U2 of x - U1, both of at most
    ``longest`` units. A U2 that straddles the gap of U1 makes one block of at most 2 * ``longest`` units, so
    these are the same sets as the unions of two windows of x.
    """
    return (yield from _certify_all(oracle, _pairs(contiguous_up_to(longest)(oracle.length))))


@Procedure
def certify_contiguous_replacement(oracle: MaskOracle, width: int) -> Steps[AblationCertificate]:
    """Two-round ablation with windows of exactly ``width`` units against replacing one such block by as many.

    Certified if h(x - (U1 or U2)) = h(x) for all pairs of these windows, as PatchCleanser has it for images.
    """
    require(width >= 1, f"the replaced block must have at least 1 unit, got {width}")
    return (yield from _certify_all(oracle, _pairs(contiguous([width])(oracle.length))))


@Procedure
def certify_scattered(
    oracle: MaskOracle, most: int, threat: Literal["insert", "edit"] = "insert"
) -> Steps[AblationCertificate]:
    """Two-round ablation with ``scattered(most)`` against ``most`` insertions, or edits, anywhere.

    Certified iff h(x - U) = h(x) for all sets U of at most ``most`` units (insertions), and if so for all
    sets of at most 2 * ``most`` units (Damerau-Levenshtein edits).
    """
    require(threat in ("insert", "edit"), f"threat must be 'insert' or 'edit', got {threat!r}")
    require(most >= 1, f"at least one scattered unit must be covered, got {most}")
    reach = min(oracle.length, most if threat == "insert" else 2 * most)
    return (yield from _certify_all(oracle, _without(oracle.length, range(reach, -1, -1))))


def _pairs(kept: Sequence[int]) -> Iterator[int]:
    """What two deletions leave, one of them possibly twice; mostly those first that leave the least."""
    return (one & two for one, two in combinations_with_replacement(reversed(kept), 2))


def _certify_all(oracle: MaskOracle, kept: Iterable[int]) -> Steps[AblationCertificate]:
    """Certified iff every mask keeps the label of the whole text.

    Callers list masks that keep little first: what fails, fails mostly where much is gone.
    """
    label: int | None = None
    try:
        label = _known((yield from oracle.label(oracle.full)))
        if label is None:
            return AblationCertificate(None, False, oracle.passes)
        certified = yield from oracle.all_equal(kept, label)
    except BudgetExceededError:
        return AblationCertificate(label, False, oracle.passes, budget_exceeded=True)
    return AblationCertificate(label, certified, oracle.passes)


def _known(label: int) -> int | None:
    return None if label == UNDECIDED else label
