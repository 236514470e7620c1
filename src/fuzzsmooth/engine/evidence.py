"""What the certificate of a vote rests on, and where its draws come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import ExactProbabilities, TopClassBound, selection_draws
from fuzzsmooth.certify.selection import Strata
from fuzzsmooth.engine.sampler import Plan, Sampler, Votes

PURPOSE = "certify"
"""Addresses the draws of certificates, apart from those of predictions."""


@dataclass(frozen=True)
class Evidence:
    """The answers to a text's deletions and what follows from them.

    Attributes:
        bound: The selected label and the bounds on its probability.
        counts: All votes per class, selection included; of the enumerated masks where all were.
        draws: Draws behind the bound, those included that count for no class, or masks where all were.
        method: Whether the bound holds with probability 1 - alpha, or surely.
        statistics: How it came about: "fixed", "sequential", "lean" or "exact"; "hybrid-" before it
            where masks were enumerated.
        exact: All probabilities, where all masks were enumerated.
        enumerated: Masks that were enumerated.
    """

    bound: TopClassBound
    counts: tuple[int, ...]
    draws: int
    method: Literal["monte_carlo", "exact"]
    statistics: str
    exact: ExactProbabilities | None = None
    enumerated: int = 0

    @property
    def passes(self) -> int:
        """Answers of the base classifier in all."""
        return self.draws if self.method == "exact" else self.draws + self.enumerated


@dataclass(frozen=True)
class Case:
    """A text whose class probabilities are to be bounded by draws.

    p_c = exact_parts[c] + (1 - mass) * P[class c among the draws]; without enumerated masks the exact parts
    and the mass are 0.

    Attributes:
        text: Index of the text.
        length: Its number of units.
        draws: Draws at most.
        exact_parts: Enumerated probability of each class, shape (classes,).
        mass: Probability of all enumerated masks, in [0, 1].
        enumerated: How many they are.
        contenders: The classes that may be certified, chosen without any draw; None for all.
    """

    text: int
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
    def hybrid(self) -> bool:
        """Whether some masks were enumerated."""
        return self.enumerated > 0


def undivided(lengths: Sequence[int], *, draws: int, classes: int) -> list[Case]:
    """Cases of texts that are only drawn from, one per length.

    Args:
        lengths: Units of each text.
        draws: Draws of each at most.
        classes: Number of classes.
    """
    return [Case(text, length, draws, (0.0,) * classes) for text, length in enumerate(lengths)]


class Source(Protocol):
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
class SampledSource:
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
        """See :class:`Source`."""
        return self.sampler.tally([self.plans[text] for text in texts], draws, self.purpose)


def count_labels(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """Votes per class, undecided labels left out; shape (classes,)."""
    return np.bincount(labels[labels >= 0], minlength=classes).astype(np.int64)
