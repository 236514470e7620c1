"""The search tree: segments of a text, coarse to fine, selected by an upper confidence bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fuzzsmooth.search.options import SearchOptions


@dataclass(eq=False)
class Segment:
    """A node of the tree: units [start, end) of the text.

    Attributes:
        start: First unit.
        end: One past the last unit.
        prior: Linguistic suspicion relative to the siblings', summing to 1 over them.
        visits: Simulations of this segment or below, those under way included (virtual loss).
        total: Sum of their rewards, each in [0, 1).
        own: Rewards of the mutations of exactly this segment.
        started: Mutations of exactly this segment that were selected.
        children: The parts it was split into, or none.
    """

    start: int
    end: int
    prior: float = 1.0
    visits: int = 0
    total: float = 0.0
    own: list[float] = field(default_factory=list)
    started: int = 0
    children: list[Segment] = field(default_factory=list)

    @property
    def reward(self) -> float:
        """Largest reward of a mutation of exactly this segment; 0 before the first."""
        return max(self.own, default=0.0)


class SegmentTree:
    """Monte Carlo tree search over the segments of one text.

    Selection, expansion and back-propagation of FRS; the simulation, a mutated text scored by the
    classifier, is the caller's. Splits fall on clause and sentence boundaries where there are any.

    Args:
        suspicion: Shape (n,), linguistic suspicion of each unit in [0, 1] (its rarity).
        boundaries: Shape (n,), how good a place each unit is to start a segment at (0, 1 or 2).
        options: Exploration constant, visits and floor.
        parts: Into how many parts a segment is split, >= 2.
        floor: Reward below which a segment is not split further; by default that of the options.
    """

    def __init__(
        self,
        suspicion: npt.NDArray[np.float64],
        boundaries: Sequence[int],
        options: SearchOptions,
        *,
        parts: int = 2,
        floor: float | None = None,
    ) -> None:
        self._suspicion = suspicion
        self._boundaries = boundaries
        self._options = options
        self._parts = parts
        self._floor = options.floor if floor is None else floor
        self.root = Segment(0, len(suspicion))
        self._split(self.root)  # editing the whole text says nothing about where the trigger is

    def select(self) -> list[Segment] | None:
        """The path from the root to the segment to mutate next, or None when all that is worth it is known.

        The path carries a virtual loss until :meth:`backpropagate`, so that the next selection of the
        same round turns elsewhere.
        """
        path, node = [self.root], self.root
        while node is self.root or node.started >= self._options.visits:
            open_children = [child for child in node.children if self._is_open(child)]
            if not open_children:
                return None
            node = max(open_children, key=lambda child: self._confidence_bound(path[-1], child))
            path.append(node)
        for step in path:
            step.visits += 1
        node.started += 1
        return path

    def backpropagate(self, path: list[Segment], reward: float) -> None:
        """Credit a simulation's reward, in [0, 1), to its path, and split the segment if it is worth it."""
        leaf = path[-1]
        leaf.own.append(reward)
        for step in path:
            step.total += reward
        if not leaf.children and leaf.reward >= self._floor:
            self._split(leaf)

    def pieces(self) -> list[Segment]:
        """The finest segments that were mutated and mattered, the most rewarding first."""
        found: list[Segment] = []
        stack = [self.root]
        while stack:
            node = stack.pop()
            known = [child for child in node.children if child.own]
            stack.extend(known)
            if node is not self.root and not known and node.reward >= self._floor:
                found.append(node)
        return sorted(found, key=lambda node: (-node.reward, node.start))

    def tried(self) -> list[Segment]:
        """All segments that were mutated, the most rewarding first, of equal ones the shortest."""
        found: list[Segment] = []
        stack = list(self.root.children)
        while stack:
            node = stack.pop()
            stack.extend(node.children)
            if node.own:
                found.append(node)
        return sorted(found, key=lambda node: (-node.reward, node.end - node.start, node.start))

    def _is_open(self, node: Segment) -> bool:
        """Whether a selection below ``node`` can still reach a mutation that was not tried."""
        return node.started < self._options.visits or any(self._is_open(child) for child in node.children)

    def _confidence_bound(self, parent: Segment, child: Segment) -> float:
        """Mean reward plus C * prior * sqrt(parent's visits) / (1 + visits): UCB with a prior."""
        mean = child.total / child.visits if child.visits else parent.reward
        explore = self._options.exploration * child.prior * math.sqrt(max(parent.visits, 1))
        return mean + explore / (1 + child.visits)

    def _split(self, node: Segment) -> None:
        """Expansion: parts of about equal size, cut at the strongest boundaries near by."""
        size = node.end - node.start
        if size < 2:
            if node is self.root and size == 1:
                node.children = [Segment(node.start, node.end)]
            return
        places = [node.start]
        for number in range(1, min(self._parts, size)):
            places.append(self._cut(places[-1], node.end, node.start + size * number / self._parts, size))
        ends = dict.fromkeys([*places[1:], node.end])
        parts = [Segment(start, end) for start, end in zip([node.start, *ends], ends, strict=False)]
        weights = [self._suspicion[part.start : part.end].max() + 0.1 for part in parts]
        for part, weight in zip(parts, weights, strict=True):
            part.prior = float(weight / sum(weights))
        node.children = parts

    def _cut(self, after: int, end: int, ideal: float, size: int) -> int:
        """Where a segment of a size is cut: after one place, before the end, and near the ideal one."""
        # A boundary is worth moving the cut by an eighth of the segment per unit of strength.
        worth = size / (4 * self._parts)
        cuts = range(after + 1, end) or range(after, end)
        return min(cuts, key=lambda at: (abs(at - ideal) - self._boundaries[at] * worth, at))
