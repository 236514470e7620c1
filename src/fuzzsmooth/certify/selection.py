"""From votes to the selected label with bounds on its probability and on that of its rivals.

Two classes are selected and bounded by the same draws, see :mod:`fuzzsmooth.certify.majority`. With three or
more a few draws select the label and the others bound it: at alpha as a whole, whatever the first ones
decided, the kind of bound included.

What the rivals of three or more classes may have is known in two ways. ``complement``: what the label lacks
to 1, which the same one bound says at all of alpha. ``separate``: each rival is bounded by its own votes, at
alpha / 2 for the label and the rest shared by the rivals; better where the votes that the label lacks are
spread over several rivals. ``auto`` takes what promises the larger margin at the shares that *selected* the
label: the draws that bound are independent of these, so alpha is still spent once.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fuzzsmooth.certify.bounds import (
    check_alpha,
    clopper_pearson_lower,
    clopper_pearson_upper,
    complement_upper,
)
from fuzzsmooth.certify.hybrid import conditional_level, hybrid_probability, hybrid_upper
from fuzzsmooth.certify.majority import Majority
from fuzzsmooth.common.options import require

# Share of the draws that only select the label when there are three or more classes: selecting is easy,
# bounding is what needs draws, so an even split would waste half of them.
_SELECTION_SHARE = 10

Rivals = Literal["complement", "separate", "auto"]
"""How the rivals of the label are bounded where there are three or more classes; see the module."""


@dataclass(frozen=True)
class TopClassBound:
    """The selected class with confidence bounds that hold together with probability 1 - alpha.

    Attributes:
        label: Index of the selected class.
        p_lower: Lower bound on its probability, in [0, 1]. Of two classes, 0 (or what was enumerated) where
            the class is not shown to be the majority.
        p_upper: Upper bound on the probability of every other class, in [0, 1].
        successes: Votes for ``label`` among the draws the bound was computed from.
        trials: Number of those draws.
    """

    label: int
    p_lower: float
    p_upper: float
    successes: int
    trials: int


@dataclass(frozen=True)
class Strata:
    """What enumeration has said before any draw: p_c = exact_parts[c] + (1 - mass) P[c among the draws].

    Attributes:
        exact_parts: Enumerated probability of each class, shape (classes,).
        mass: Probability of all that was enumerated, in [0, 1]; what the parts lack to it is undecided.
    """

    exact_parts: tuple[float, ...]
    mass: float = 0.0

    def lower(self, label: int, rest: float) -> float:
        """Lower bound on a class probability from one on its probability among the draws."""
        return hybrid_probability(self.exact_parts[label], self.mass, rest)

    def upper(self, label: int, rest: float) -> float:
        """Upper bound on a class probability from one on its probability among the draws."""
        return hybrid_upper(self.exact_parts[label], self.mass - sum(self.exact_parts), self.mass, rest)

    def level(self, label: int, level: float) -> float:
        """What the probability among the draws must exceed for the class probability to exceed ``level``."""
        return conditional_level(level, self.exact_parts[label], self.mass)

    def leader(self, counts: Sequence[int]) -> int:
        """The class that is probably on top, from the votes of some draws, ties to the lower index."""
        total = max(1, sum(counts))
        rest = 1.0 - self.mass
        return top_class(
            [part + rest * count / total for part, count in zip(self.exact_parts, counts, strict=True)]
        )

    def majority(self, label: int) -> Majority:
        """The bound of one of two classes that are bounded from the same draws."""
        return Majority(self.level(label, 0.5), self.level(1 - label, 0.5))


def selection_draws(draws: int, classes: int) -> int:
    """How many of ``draws`` should only select the label: none for two classes, a tenth for more.

    With two classes the same draws select and bound. With three or more a separate selection sample costs
    less than dividing alpha by the number of classes. A single draw selects, and leaves nothing to bound by.

    Raises:
        FuzzsmoothError: If there are fewer than two classes or there is no draw.
    """
    require(classes >= 2, f"a certificate needs at least two classes, got {classes}")
    require(draws >= 1, f"a certificate needs at least one draw, got {draws}")
    return 0 if classes == 2 else max(1, draws // _SELECTION_SHARE)


def bound_top_class(
    selection_counts: Sequence[int],
    estimation_counts: Sequence[int] | None = None,
    *,
    alpha: float,
    undecided: int = 0,
    rivals: Rivals = "complement",
) -> TopClassBound:
    """Select the top class and bound its probability and that of its rivals.

    Args:
        selection_counts: Votes per class, shape (classes,); the label is their argmax, ties to the
            lower index.
        estimation_counts: Votes per class of further, independent draws, which then give the bound at full
            alpha. ``None`` bounds from the selection draws themselves: two classes by
            :class:`fuzzsmooth.certify.majority.Majority`, more at alpha / classes (Bonferroni over the label
            that might have been selected).
        alpha: Probability with which the bounds may fail, in (0, 1).
        undecided: Draws among those bounded from that count against the certificate, such as predictions
            inside the numerical guard band: failures for the label, successes for each rival.
        rivals: How the rivals of three or more classes are bounded, see :mod:`fuzzsmooth.certify.selection`;
            two classes always complement each other. To be chosen before the counts are seen; ``auto``, which
            looks at ``selection_counts``, needs ``estimation_counts``.

    Returns:
        Bounds that hold together, except with probability ``alpha``.

    Raises:
        FuzzsmoothError: If counts do not fit together or an argument is out of range.
    """
    strata = Strata((0.0,) * len(selection_counts))
    bounded = selection_counts if estimation_counts is None else estimation_counts
    require(sum(bounded) + undecided >= 1, "at least one draw is needed to bound a class")
    return bound_strata(
        strata, selection_counts, estimation_counts, alpha=alpha, undecided=undecided, rivals=rivals
    )


def bound_hybrid_top_class(
    exact_parts: Sequence[float],
    mass: float,
    selection_counts: Sequence[int],
    estimation_counts: Sequence[int] | None = None,
    *,
    alpha: float,
    undecided: int = 0,
    rivals: Rivals = "complement",
) -> TopClassBound:
    """Select the top class and bound it, from enumerated masks and conditional draws.

    Args:
        exact_parts: e_c of each class, shape (classes,); masks with an undecided answer count for none.
        mass: P[at most J kept].
        selection_counts: As in :func:`bound_top_class`, of conditional draws; all 0 where the enumerated
            masks alone select.
        estimation_counts: The same; no draw at all leaves what was enumerated.
        alpha: The same.
        undecided: The same.
        rivals: The same.

    Returns:
        Bounds that hold together, except with probability ``alpha``; ``successes`` and ``trials`` are of the
        draws.

    Raises:
        FuzzsmoothError: As :func:`bound_top_class`.
    """
    strata = Strata(tuple(exact_parts), mass)
    return bound_strata(
        strata, selection_counts, estimation_counts, alpha=alpha, undecided=undecided, rivals=rivals
    )


def bound_strata(
    strata: Strata,
    selection_counts: Sequence[int],
    estimation_counts: Sequence[int] | None,
    *,
    alpha: float,
    undecided: int,
    rivals: Rivals,
) -> TopClassBound:
    """:func:`bound_hybrid_top_class` for strata."""
    check_alpha(alpha)
    require(undecided >= 0, f"undecided must be at least 0, got {undecided}")
    selection = _checked_votes(selection_counts, "selection_counts")
    if estimation_counts is not None:
        votes = _checked_votes(estimation_counts, "estimation_counts")
        require(
            len(votes) == len(selection),
            f"selection_counts have {len(selection)} classes but estimation_counts {len(votes)}",
        )
        return bound_selected(strata, selection, votes, sum(votes) + undecided, alpha=alpha, rivals=rivals)
    trials, label = sum(selection) + undecided, strata.leader(selection)
    if trials and len(selection) == 2:
        p_lower = strata.lower(label, strata.majority(label).lower(selection[label], trials, alpha))
        return TopClassBound(label, p_lower, complement_upper(p_lower), selection[label], trials)
    require(rivals != "auto", "rivals 'auto' needs estimation_counts, apart from selection_counts")
    p_lower, p_upper = rival_bounds(strata, label, selection, trials, alpha / len(selection), rivals)
    return TopClassBound(label, p_lower, p_upper, selection[label], trials)


def bound_selected(
    strata: Strata,
    selection: Sequence[int],
    votes: Sequence[int],
    trials: int,
    *,
    alpha: float,
    rivals: Rivals,
    label: int | None = None,
) -> TopClassBound:
    """Bound a class that other draws, or none at all, have selected, by all of alpha.

    Args:
        strata: What was enumerated.
        selection: Votes per class of the draws that select it; all 0 for none.
        votes: Votes per class of the draws that bound it.
        trials: Number of these, undecided ones included; 0 leaves what was enumerated.
        alpha: Probability with which the bounds may fail, in (0, 1).
        rivals: How its rivals are bounded.
        label: The class, where it was fixed without any draw; ``None`` selects it here.
    """
    label = strata.leader(selection) if label is None else label
    if rivals == "auto":
        rivals = choose_rivals(strata, selection, trials, alpha)
    p_lower, p_upper = rival_bounds(strata, label, votes, trials, alpha, rivals)
    return TopClassBound(label, p_lower, p_upper, votes[label], trials)


def rival_bounds(
    strata: Strata, label: int, votes: Sequence[int], trials: int, alpha: float, rivals: Rivals
) -> tuple[float, float]:
    """Bounds on the probability of a class that other draws have selected, and of its rivals.

    Args:
        strata: What was enumerated.
        label: The class.
        votes: Votes per class, shape (classes,).
        trials: Draws in all, undecided ones included; 0 leaves what was enumerated.
        alpha: Probability with which the bounds may fail, in (0, 1).
        rivals: "complement" or "separate"; chosen without looking at ``votes``.

    Returns:
        The lower bound on the class probability and the upper bound on all others.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    require(
        rivals in ("complement", "separate"), f"rivals must be 'complement' or 'separate', got {rivals!r}"
    )
    apart = rivals == "separate" and len(votes) > 2
    own = alpha / 2 if apart else alpha
    rest = clopper_pearson_lower(votes[label], trials, own) if trials else 0.0
    p_lower = strata.lower(label, rest)
    complement = complement_upper(p_lower)
    if not (apart and trials):
        return p_lower, complement
    share, undecided = alpha / (2 * (len(votes) - 1)), trials - sum(votes)
    p_upper = max(
        strata.upper(index, clopper_pearson_upper(count + undecided, trials, share))
        for index, count in enumerate(votes)
        if index != label
    )
    return p_lower, min(p_upper, complement)


def choose_rivals(strata: Strata, selection: Sequence[int], trials: int, alpha: float) -> Rivals:
    """The kind of bound that promises the larger margin if the draws to come are like those that selected.

    Args:
        strata: What was enumerated.
        selection: Votes per class of the draws that selected the label, apart from those that will bound it;
            all 0 where enumeration has, whose shares then count.
        trials: Number of those to come.
        alpha: As in :func:`rival_bounds`.
    """
    label = strata.leader(selection)
    shares = selection if sum(selection) else [100 * part for part in strata.exact_parts]
    if trials == 0 or sum(shares) == 0:
        return "complement"
    # Half a vote for each class: one that a few draws have not met may still get some of the many to come.
    scale = trials / (sum(shares) + 0.5 * len(shares))
    expected = [int((share + 0.5) * scale) for share in shares]
    kinds: tuple[Rivals, ...] = ("complement", "separate")
    bounds = [rival_bounds(strata, label, expected, max(1, sum(expected)), alpha, kind) for kind in kinds]
    together, apart = (lower - upper for lower, upper in bounds)
    return "separate" if apart > together else "complement"


def top_class(votes: Sequence[float]) -> int:
    """The class with the most votes, ties to the lower index."""
    return max(range(len(votes)), key=lambda index: (votes[index], -index))


def _checked_votes(counts: Sequence[int], name: str) -> list[int]:
    votes = [operator.index(count) for count in counts]
    require(len(votes) >= 2, f"{name}: a certificate needs at least two classes, got {len(votes)}")
    require(min(votes) >= 0, f"{name}: vote counts must be at least 0, got {min(votes)}")
    return votes
