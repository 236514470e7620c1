"""From votes to the selected label with bounds on its probability and on that of its rivals.

Two classes are selected and bounded by the same draws, see :class:`Majority`. With three or more a few draws
select the label and the others bound it: at alpha as a whole, whatever the first ones decided, the kind of
bound included.

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

from fuzzsmooth.certify.confidence.clopper_pearson import (
    Majority,
    check_alpha,
    clopper_pearson_lower,
    clopper_pearson_upper,
)
from fuzzsmooth.certify.theorems.edit import complement_upper
from fuzzsmooth.common.options import require

# Sums over thousands of products of rates round by about 1e-13.
_ROUNDING = 1e-11

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

    So a bound on the one unknown gives a bound on p_c without any correction.

    Attributes:
        exact_parts: Enumerated probability of each class, shape (classes,).
        mass: Probability of all that was enumerated, in [0, 1]; what the parts lack to it is undecided.
    """

    exact_parts: tuple[float, ...]
    mass: float = 0.0

    def lower(self, label: int, rest: float) -> float:
        """Lower bound on a class probability from one on its probability among the draws."""
        if self.mass == 0.0:
            return rest
        return max(0.0, self.exact_parts[label] + max(0.0, 1.0 - self.mass) * rest - _ROUNDING)

    def upper(self, label: int, rest: float) -> float:
        """Upper bound on a class probability from one on its probability among the draws.

        What is undecided among the enumerated masks may be any class's.
        """
        if self.mass == 0.0:
            return rest
        undecided = max(0.0, self.mass - sum(self.exact_parts))
        drawn = max(0.0, 1.0 - self.mass) * rest
        return min(1.0, self.exact_parts[label] + undecided + drawn + _ROUNDING)

    def level(self, label: int, level: float) -> float:
        """What the probability among the draws must exceed for the class probability to exceed ``level``.

        Returns:
            A number, rounded up: at most 0 if the exact part suffices and at least 1 if nothing can.
        """
        if self.mass == 0.0:
            return level
        return (level + 2 * _ROUNDING - self.exact_parts[label]) / max(1.0 - self.mass, _ROUNDING)

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
    strata: Strata | None = None,
    label: int | None = None,
) -> TopClassBound:
    """Select the top class and bound its probability and that of its rivals.

    Args:
        selection_counts: Votes per class, shape (classes,); the label is their argmax, ties to the
            lower index.
        estimation_counts: Votes per class of further, independent draws, which then give the bound at full
            alpha. ``None`` bounds from the selection draws themselves: two classes by :class:`Majority`,
            more at alpha / classes (Bonferroni over the label that might have been selected).
        alpha: Probability with which the bounds may fail, in (0, 1).
        undecided: Draws among those bounded from that count against the certificate, such as predictions
            inside the numerical guard band: failures for the label, successes for each rival.
        rivals: How the rivals of three or more classes are bounded, see the module; two classes always
            complement each other. To be chosen before the counts are seen; ``auto``, which looks at
            ``selection_counts``, needs ``estimation_counts``.
        strata: What was enumerated before, the counts being of draws from the rest; no draw at all then
            leaves what was enumerated. ``None``: nothing.
        label: The class, where it was fixed without any draw; ``None`` selects it here.

    Returns:
        Bounds that hold together, except with probability ``alpha``.

    Raises:
        FuzzsmoothError: If counts do not fit together or an argument is out of range.
    """
    if strata is None:
        strata = Strata((0.0,) * len(selection_counts))
        bounded = selection_counts if estimation_counts is None else estimation_counts
        require(sum(bounded) + undecided >= 1, "at least one draw is needed to bound a class")
    check_alpha(alpha)
    require(undecided >= 0, f"undecided must be at least 0, got {undecided}")
    selection = votes = _checked_votes(selection_counts, "selection_counts")
    if estimation_counts is not None:
        votes = _checked_votes(estimation_counts, "estimation_counts")
        require(
            len(votes) == len(selection),
            f"selection_counts have {len(selection)} classes but estimation_counts {len(votes)}",
        )
    trials = sum(votes) + undecided
    if label is None:
        label = strata.leader(selection)
    if estimation_counts is None:
        if trials and len(votes) == 2:
            p_lower = strata.lower(label, strata.majority(label).lower(votes[label], trials, alpha))
            return TopClassBound(label, p_lower, complement_upper(p_lower), votes[label], trials)
        if len(votes) == 2:  # two classes without a draw
            rivals = "complement"
        require(rivals != "auto", "rivals 'auto' needs estimation_counts, apart from selection_counts")
        alpha /= len(votes)
    elif rivals == "auto":
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
