"""What the certificate of a vote rests on, where draws come from, and the bound from a fixed number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import (
    ExactProbabilities,
    Rivals,
    Strata,
    TopClassBound,
    bound_top_class,
    selection_draws,
)
from fuzzsmooth.engine.sampler import Plan, Sampler, Votes

PURPOSE = "certify"
"""Addresses the draws of certificates, apart from those of predictions."""


_TOGETHER = 8192  # draws asked for at once: bounds what is lost to a kill, fills the batches


@dataclass(frozen=True)
class Evidence:
    """The answers to a text's deletions and what follows from them.

    Attributes:
        bound: The selected label and the bounds on its probability.
        counts: All votes per class, selection included; of the enumerated masks where all were.
        draws: Draws behind the bound, those included that count for no class, or masks where all were.
        method: Whether the bound holds with probability 1 - alpha, or surely.
        statistics: How it came about: "fixed", "sequential", "group-sequential" or "exact"; "stratified-"
            before it where masks were enumerated.
        exact: All probabilities, where all masks were enumerated.
        enumerated: Masks that were enumerated.
        unsure: Masks, of the enumerated ones where all were, that vote for each class alike.
    """

    bound: TopClassBound
    counts: tuple[int, ...]
    draws: int
    method: Literal["monte_carlo", "exact"]
    statistics: str
    exact: ExactProbabilities | None = None
    enumerated: int = 0
    unsure: int = 0

    @property
    def undecided(self) -> int:
        """Draws, or masks where all were enumerated, that count for no class."""
        return self.draws - sum(self.counts) - self.unsure

    @property
    def passes(self) -> int:
        """Answers of the base classifier in all."""
        return self.draws if self.method == "exact" else self.draws + self.enumerated


@dataclass(frozen=True)
class DrawnText:
    """A text whose class probabilities are to be bounded by draws.

    p_c = exact_parts[c] + (1 - mass) * P[class c among the draws]; without enumerated masks the exact parts
    and the mass are 0.

    Attributes:
        index: Index of the text.
        length: Its number of units.
        draws: Draws at most.
        exact_parts: Enumerated probability of each class, shape (classes,).
        mass: Probability of all enumerated masks, in [0, 1].
        enumerated: How many they are.
        contenders: The classes that may be certified, chosen without any draw; None for all.
    """

    index: int
    length: int
    draws: int
    exact_parts: tuple[float, ...]
    mass: float = 0.0
    enumerated: int = 0
    contenders: tuple[int, ...] | None = None

    @property
    def strata(self) -> Strata:
        """What enumeration has said."""
        return Strata(self.exact_parts, self.mass)

    @property
    def sole(self) -> int | None:
        """The one class that may be certified, where no draw is needed to select it."""
        return self.contenders[0] if self.contenders is not None and len(self.contenders) == 1 else None

    @property
    def selecting(self) -> int:
        """How many of the draws only select the label."""
        if self.draws == 0 or self.sole is not None:
            return 0
        return selection_draws(self.draws, len(self.exact_parts))

    @property
    def stratified(self) -> bool:
        """Whether some masks were enumerated."""
        return self.enumerated > 0


def plain_plans(lengths: Sequence[int], *, draws: int, classes: int) -> list[DrawnText]:
    """Cases of texts that are only drawn from, one per length.

    Args:
        lengths: Units of each text.
        draws: Draws of each at most.
        classes: Number of classes.
    """
    return [DrawnText(text, length, draws, (0.0,) * classes) for text, length in enumerate(lengths)]


class VoteSource(Protocol):
    """Where draws come from."""

    def votes(self, texts: Sequence[int], draws: Sequence[range]) -> Votes:
        """Votes of each text over draws of its own.

        Args:
            texts: Indices of texts.
            draws: Draw indices of each; disjoint ranges are independent draws.

        Returns:
            Shape (len(texts), classes); rows sum to at most the number of draws, the rest is undecided.
        """
        ...


@dataclass(frozen=True)
class SampledVotes:
    """Draws of the plans' own law.

    Attributes:
        plans: The plan of each text.
        sampler: Draws them.
        purpose: Addresses the draws.
    """

    plans: Sequence[Plan]
    sampler: Sampler
    purpose: str = PURPOSE

    def votes(self, texts: Sequence[int], draws: Sequence[range]) -> Votes:
        """See :class:`VoteSource`."""
        return self.sampler.tally([self.plans[text] for text in texts], draws, self.purpose)


def count_labels(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """Votes per class, undecided labels left out; shape (classes,)."""
    return np.bincount(labels[labels >= 0], minlength=classes).astype(np.int64)


def fixed_evidence(
    source: VoteSource,
    drawn_texts: Sequence[DrawnText],
    *,
    alpha: float,
    rivals: Rivals = "complement",
    advance: Callable[[int], None] | None = None,
) -> list[Evidence]:
    """Bound the top class of each text from all of its draws.

    Two classes: the same draws select and bound. More: a tenth selects, unless enumeration has, and the rest
    bounds at alpha.

    Args:
        source: Where the draws come from.
        drawn_texts: The texts.
        alpha: Failure probability per text.
        rivals: How the rivals of three or more classes are bounded.
        advance: Told how many texts have just been finished.
    """
    found: dict[int, Evidence] = {}
    for alike in dict.fromkeys((drawn.draws, drawn.selecting) for drawn in drawn_texts):
        group = [drawn for drawn in drawn_texts if (drawn.draws, drawn.selecting) == alike]
        size = max(1, _TOGETHER // max(1, alike[0]))
        for first in range(0, len(group), size):
            part = group[first : first + size]
            found.update((one.index, evidence) for one, evidence in _bound_alike(source, part, alpha, rivals))
            if advance is not None:
                advance(len(part))
    return [found[drawn.index] for drawn in drawn_texts]


def _bound_alike(
    source: VoteSource, drawn_texts: Sequence[DrawnText], alpha: float, rivals: Rivals
) -> Iterator[tuple[DrawnText, Evidence]]:
    """Bound texts that have equally many draws, and as many of them for selecting."""
    draws, selecting = drawn_texts[0].draws, drawn_texts[0].selecting
    selection = _votes(source, drawn_texts, range(selecting))
    estimation = _votes(source, drawn_texts, range(selecting, draws))
    for drawn, chosen, bounding in zip(drawn_texts, selection, estimation, strict=True):
        yield drawn, _bounded(drawn, chosen, bounding, alpha, rivals)


def _votes(source: VoteSource, drawn_texts: Sequence[DrawnText], draws: range) -> Votes:
    if not draws:
        return np.zeros((len(drawn_texts), len(drawn_texts[0].exact_parts)), dtype=np.int64)
    return source.votes([drawn.index for drawn in drawn_texts], [draws] * len(drawn_texts))


def _bounded(drawn: DrawnText, selection: Votes, estimation: Votes, alpha: float, rivals: Rivals) -> Evidence:
    chosen, votes = selection.tolist(), estimation.tolist()
    both = len(votes) == 2 and drawn.sole is None  # selected and bounded by the same draws
    bound = bound_top_class(
        votes if both else chosen,
        None if both else votes,
        alpha=alpha,
        undecided=drawn.draws - drawn.selecting - sum(votes),
        rivals=rivals,
        strata=drawn.strata,
        label=drawn.sole,
    )
    return Evidence(
        bound,
        tuple(int(count) for count in selection + estimation),
        drawn.draws,
        "monte_carlo",
        "stratified-fixed" if drawn.stratified else "fixed",
        enumerated=drawn.enumerated,
    )
