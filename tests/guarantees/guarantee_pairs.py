"""Certified (text, neighbor) pairs by the million: claims, hostile classifiers, and their counting.

A *claim* is a certificate on a small world of texts. One draw of it makes many base classifiers at once, and
for each of them and each text the true answer, the reach of the certificate there, and the answers at all
neighbors. A pair (text, neighbor) counts if the reach covers the neighbor; it is a violation if the answer
there is another. Neighbors are all texts within the reach: reaches are cut where the world would not hold
all of them.

Exact probabilities are rounded outward to a grid before they are given to the certificate, as confidence
bounds would be, so that each value of a certificate is computed once, by the function that ships.

The control is the same count at a reach one larger than what is certified: it must find violations, or the
classifiers are too harmless to show anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]
Steps = npt.NDArray[np.int16]

FAR = 30_000
"""What stands for the distance of texts that are no neighbors."""

GRID, GROUPED, COARSE = 2048, 512, 128
"""Cells of a probability alone, also where they differ by group, and of each of two."""

_ROUNDING = 1e-9  # of sums over all masks, about 1e-13


@dataclass(frozen=True)
class Trial:
    """Many base classifiers on all texts of a world, all arrays of shape (texts, classifiers).

    Attributes:
        answers: The answer at each text.
        reach: How far the certificate of that text reaches; below 1, it covers no neighbor.
        received: The answer where the text is an attacker's, the same array if that makes no difference;
            -1 is allowed whatever the answer is, as an alert.
        within: From row to column the operations, where they are not those of the claim.
    """

    answers: Labels
    reach: Steps
    received: Labels
    within: Steps | None = None


@dataclass
class Count:
    """Pairs looked at, and those of them with another answer."""

    pairs: int = 0
    violations: int = 0

    def add(self, other: Count) -> None:
        """Add another count."""
        self.pairs += other.pairs
        self.violations += other.violations


class Claim(ABC):
    """One certificate on one world.

    Attributes:
        name: Row of the log.
        theorem: Its theorem, as the design names it.
        formula: The shipped function that is held to account.
        within: Operations from the row text to the column text; 0 on the diagonal, FAR where there is none.
        cap: The reach up to which all neighbors of each text are in the world.
        share: How many pairs it gets, in comparison.
        batch: Classifiers in a draw.
    """

    share = 1.0
    batch = 256

    def __init__(self, name: str, theorem: str, formula: str, within: Steps, cap: Steps) -> None:
        self.name, self.theorem, self.formula = name, theorem, formula
        self.within, self.cap = within.astype(np.int16), cap.astype(np.int16)

    @abstractmethod
    def draw(self, generator: np.random.Generator, kind: int) -> Trial:
        """Base classifiers of one of many kinds; ``kind`` counts up."""

    @cached_property
    def _covered(self) -> dict[int, npt.NDArray[np.float32]]:
        return {}

    def covered(self, within: Steps, size: int) -> npt.NDArray[np.float32]:
        """1 for each neighbor within so many operations, shape (texts, texts)."""
        if within is not self.within:
            return ((within > 0) & (within <= size)).astype(np.float32)
        if size not in self._covered:
            self._covered[size] = ((within > 0) & (within <= size)).astype(np.float32)
        return self._covered[size]

    def count(self, trial: Trial, *, more: int = 0) -> Count:
        """Pairs and violations of a trial, at the reach that is certified or at ``more`` than it."""
        within = self.within if trial.within is None else trial.within
        # Uncertified texts have no reach to enlarge: their answers may be ties.
        reach = np.where(trial.reach >= 0, np.minimum(trial.reach + more, self.cap[:, None]), 0)
        found = Count()
        for size in np.unique(reach[reach > 0]).tolist():
            chosen = reach == size
            covered = self.covered(within, size)
            neighbors = covered.sum(axis=1, dtype=np.float64)
            found.pairs += int(neighbors @ chosen.sum(axis=1))
            for label in np.unique(trial.answers[chosen]).tolist():
                other = (trial.received != label) & (trial.received >= 0)
                wrong = covered @ other.astype(np.float32)  # whole numbers below 2^24: exact
                found.violations += int(wrong[chosen & (trial.answers == label)].sum(dtype=np.float64))
        return found


Radii = Callable[[int, float, float | None], int]
"""From a group of texts, a lower bound on p_A and an upper bound on p_B (None: 1 - p_A) to a reach."""


class SmoothedClaim(Claim):
    """A certificate from class probabilities under a law of randomization.

    Args:
        name, theorem, formula, within, cap: As :class:`Claim`.
        law: Law of what is left of each text, shape (texts, outcomes).
        radii: The certificate; a reach that never falls with p_A.
        groups: Group of each text, for certificates that look at it; None: one group.
        rivals: Whether it takes an upper bound on p_B.
    """

    def __init__(
        self,
        name: str,
        theorem: str,
        formula: str,
        within: Steps,
        cap: Steps,
        *,
        law: Matrix,
        radii: Radii,
        groups: npt.NDArray[np.int64] | None = None,
        rivals: bool = True,
    ) -> None:
        super().__init__(name, theorem, formula, within, cap)
        self.law, self.radii, self.rivals = law, radii, rivals
        self.groups = np.zeros(len(law), dtype=np.int64) if groups is None else groups
        self.grid = GRID if self.groups.max() == 0 else GROUPED
        near = np.argwhere((self.within > 0) & (self.within <= 3))
        self.near = near if len(near) else np.argwhere(~np.eye(len(law), dtype=bool))

    @cached_property
    def alone(self) -> Steps:
        """Reaches from p_A alone, shape (groups, grid + 1)."""
        return np.array(
            [
                [self._reach(group, cell / self.grid, None) for cell in range(self.grid + 1)]
                for group in range(self.groups.max() + 1)
            ],
            dtype=np.int16,
        )

    @cached_property
    def both(self) -> Steps:
        """Reaches from p_A and p_B, shape (groups, COARSE + 1, COARSE + 1)."""
        return np.array(
            [
                [
                    [
                        self._reach(group, top / COARSE, rival / COARSE) if rival < top else -1
                        for rival in range(COARSE + 1)
                    ]
                    for top in range(COARSE + 1)
                ]
                for group in range(self.groups.max() + 1)
            ],
            dtype=np.int16,
        )

    def _reach(self, group: int, p_lower: float, p_upper: float | None) -> int:
        return min(self.radii(group, p_lower, p_upper), FAR)

    def draw(self, generator: np.random.Generator, kind: int) -> Trial:
        """Base classifiers of two or three classes: at random, by features, and the worst for some pair."""
        classes = 3 if kind % 4 == 3 else 2
        table = self.classifiers(generator, kind, classes)
        truth = self.probabilities(table)
        answers, reach = self.certified(truth)
        return Trial(answers, reach, answers)

    def probabilities(self, table: Matrix) -> Matrix:
        """Class probabilities of all texts, shape (classes, texts, classifiers), from such tables."""
        return np.stack([self.law @ of_class for of_class in table])

    def certified(self, truth: Matrix) -> tuple[Labels, Steps]:
        """Answers and reaches from exact class probabilities."""
        ordered = np.sort(truth, axis=0)
        answers = truth.argmax(axis=0).astype(np.int8)
        if len(truth) == 2 or not self.rivals:
            cell = np.floor((ordered[-1] - _ROUNDING) * self.grid).clip(0).astype(np.int64)
            return answers, self.alone[self.groups[:, None], cell]
        top = np.floor((ordered[-1] - _ROUNDING) * COARSE).clip(0).astype(np.int64)
        rival = np.ceil((ordered[-2] + _ROUNDING) * COARSE).clip(max=COARSE).astype(np.int64)
        return answers, self.both[self.groups[:, None], top, rival]

    def classifiers(self, generator: np.random.Generator, kind: int, classes: int) -> Matrix:
        """Class probabilities of the base classifiers on all outcomes, shape (classes, outcomes, batch)."""
        shape = (self.law.shape[1], self.batch)
        style = kind % 3
        if style == 0:  # labels at random, one class more often
            favored = generator.uniform(0.5, 1.0, size=self.batch)
            hit = generator.random(shape) < favored
            labels = np.where(hit, 0, generator.integers(1, classes, size=shape))
            return np.stack([(labels == label).astype(np.float64) for label in range(classes)])
        if style == 1:  # random odds
            odds = generator.gamma(0.2, size=(classes, *shape)) + 1e-9
            odds[0] *= generator.uniform(1, 30, size=self.batch)
            return np.asarray(odds / odds.sum(axis=0))
        return self._worst(generator, classes)

    def _worst(self, generator: np.random.Generator, classes: int) -> Matrix:
        """For a random pair each: class 0 where the neighbor is least likely, up to a random probability."""
        chosen = self.near[generator.integers(len(self.near), size=self.batch)]
        source, target = self.law[chosen[:, 0]], self.law[chosen[:, 1]]
        ratio = target / np.maximum(source, 1e-300)
        order = np.argsort(ratio + 1e-9 * generator.random(ratio.shape), axis=1)
        mass = np.take_along_axis(source, order, axis=1)
        # What is left to fill at each outcome, as a share of it.
        room = generator.uniform(0.5, 1.0, size=(self.batch, 1)) - (np.cumsum(mass, axis=1) - mass)
        share = np.clip(room / np.maximum(mass, 1e-300), 0.0, 1.0) * (mass > 0)
        top = np.empty_like(share)
        np.put_along_axis(top, order, share, axis=1)
        table = np.zeros((classes, self.law.shape[1], self.batch))
        table[0] = top.T
        if classes == 2:
            table[1] = 1.0 - top.T
        else:  # the third class gets what is likelier at the text than at the neighbor
            third = (ratio < np.median(ratio, axis=1, keepdims=True)).T
            table[2] = (1.0 - top.T) * third
            table[1] = (1.0 - top.T) * ~third
        return table


def ranked(kinds: Steps, certified: Callable[[float, int], bool]) -> tuple[Steps, Radii]:
    """Not nested by a number of operations? Then by the probability from which on each kind is certified.

    Args:
        kinds: Kind of neighbor of every pair, shape (texts, texts), whole numbers; -1 for none.
        certified: Whether a kind is certified at p_A; if so, at every larger p_A.

    Returns:
        ``within`` and ``radii`` of a claim: kinds are ranked by the cell of the grid that first covers them.
    """
    first = np.full(int(kinds.max()) + 1, GRID + 1)
    for kind in np.unique(kinds[kinds >= 0]).tolist():
        first[kind] = bisect_left(range(GRID + 1), True, key=lambda cell: certified(cell / GRID, kind))
    levels = np.unique(first[first <= GRID])
    rank = np.where(first <= GRID, np.searchsorted(levels, first) + 1, FAR)
    within = np.where(kinds >= 0, rank[kinds.clip(0)], FAR).astype(np.int16)
    np.fill_diagonal(within, 0)

    def radii(group: int, p_lower: float, p_upper: float | None) -> int:
        return int(np.searchsorted(levels, round(p_lower * GRID), side="right")) if p_lower > 0.5 else -1

    return within, radii
