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
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

from fuzzsmooth.certify.deletion_sets import Family, block, contiguous, contiguous_up_to, subsets
from fuzzsmooth.certify.oracle import UNDECIDED, BudgetExceededError, MaskOracle, Procedure, Steps
from fuzzsmooth.common.options import require

Status = Literal["unanimous", "second_round", "majority", "alert", "budget_exceeded"]


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
    deletions = family(oracle.length)
    try:
        labels = yield from oracle.labels(oracle.full & ~deletion for deletion in deletions)
        votes = Counter(labels)
        first = tuple(sorted(votes.items()))
        majority = min(votes, key=lambda label: (-votes[label], label))
        if len(votes) == 1:
            return Ablation(majority, "unanimous", oracle.passes, first)
        for deletion, label in zip(deletions, labels, strict=True):
            kept = oracle.full & ~deletion
            if label == majority:
                continue
            if (yield from oracle.all_equal((kept & ~other for other in deletions), label)):
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
        deletions = family(oracle.length)
        labels = yield from oracle.labels(oracle.full & ~deletion for deletion in deletions)
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
    return (yield from _certify_all(oracle, _unions(contiguous_up_to(longest)(oracle.length))))


@Procedure
def certify_contiguous_replacement(oracle: MaskOracle, width: int) -> Steps[AblationCertificate]:
    """Two-round ablation with windows of exactly ``width`` units against replacing one such block by as many.

    Certified if h(x - (U1 or U2)) = h(x) for all pairs of these windows, as PatchCleanser has it for images.
    """
    require(width >= 1, f"the replaced block must have at least 1 unit, got {width}")
    return (yield from _certify_all(oracle, _unions(contiguous([width])(oracle.length))))


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
    return (yield from _certify_all(oracle, subsets(oracle.length, range(reach, -1, -1))))


@Procedure
def certify_block(
    oracle: MaskOracle, family: Family, *, inserted: Sequence[int], removed: Sequence[int] = (0,)
) -> Steps[AblationCertificate]:
    """Any family against any block threat: ``d`` units at one place are replaced by ``t`` arbitrary ones.

    Checks the theorem's condition itself: for every (d, t, place) some deletion of the received text covers
    the new units and keeps the label together with every second deletion. All model calls are on subsets of
    x.

    Args:
        oracle: The base classifier on subsets of the clean text.
        family: Deletions of the procedure.
        inserted: The possible t >= 0.
        removed: The possible d >= 0; (0,) for pure insertion.
    """
    places = [
        (place, gone, new)
        for gone in removed
        for new in inserted
        for place in range(max(0, oracle.length - gone) + 1)
        if gone <= oracle.length
    ]
    try:
        label = yield from oracle.label(oracle.full)
        for place, gone, new in places:
            if not (yield from _survives(oracle, family, label, place, gone, new)):
                return AblationCertificate(_known(label), False, oracle.passes)
    except BudgetExceededError:
        return AblationCertificate(None, False, oracle.passes, budget_exceeded=True)
    return AblationCertificate(_known(label), True, oracle.passes)


def _survives(oracle: MaskOracle, family: Family, label: int, place: int, gone: int, new: int) -> Steps[bool]:
    """Whether some deletion of the changed text covers its ``new`` units at ``place`` and is good."""
    changed = family(oracle.length - gone + new)
    trigger = block(place, place + new)
    rest = oracle.full & ~block(place, place + gone)
    # What a deletion of the changed text leaves out of x: bits before the block stay, bits behind it move.
    clean = [
        (deletion & block(0, place)) | (deletion >> (place + new)) << (place + gone) for deletion in changed
    ]
    for deletion, own in zip(changed, clean, strict=True):
        if deletion & trigger == trigger and (
            yield from oracle.all_equal((rest & ~own & ~other for other in clean), label)
        ):
            return True
    return False


def _unions(deletions: Sequence[int]) -> Iterator[int]:
    """Every union of two deletions, one of them possibly twice; the largest mostly first."""
    return (one | two for one, two in combinations_with_replacement(reversed(deletions), 2))


def _certify_all(oracle: MaskOracle, deletions: Iterable[int]) -> Steps[AblationCertificate]:
    """Certified iff every deletion keeps the label of the whole text.

    Callers list large deletions first: what fails, fails mostly where much is gone.
    """
    label: int | None = None
    try:
        label = _known((yield from oracle.label(oracle.full)))
        if label is None:
            return AblationCertificate(None, False, oracle.passes)
        certified = yield from oracle.all_equal((oracle.full & ~deletion for deletion in deletions), label)
    except BudgetExceededError:
        return AblationCertificate(label, False, oracle.passes, budget_exceeded=True)
    return AblationCertificate(label, certified, oracle.passes)


def _known(label: int) -> int | None:
    return None if label == UNDECIDED else label
