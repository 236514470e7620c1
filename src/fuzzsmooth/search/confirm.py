"""From suspicious pieces to flagged segments: confirm by transplant, shrink, extend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.search.protocol import Budget, Search, Units
from fuzzsmooth.search.transplant import TransplantScore, TransplantTest


@dataclass(frozen=True)
class Area:
    """A vulnerable area T(x'): unit indices of the text and how strongly they carry the prediction.

    Attributes:
        indices: Sorted unit indices.
        score: Share of contexts carried ("transplant") or reward ("kl"), in [0, 1].
    """

    indices: tuple[int, ...]
    score: float


@dataclass(frozen=True)
class Confirmation:
    """Confirms proposals for the vulnerable area of one text.

    Attributes:
        units: The n units of the text.
        label: The predicted class of the text.
        test: The transplant test.
        budget: Pays for it; :class:`BudgetSpent` may be raised while nothing is confirmed yet.
        gain: Growth in mean log-odds (nats) that extends a segment by a neighbor.
    """

    units: Units
    label: int
    test: TransplantTest
    budget: Budget
    gain: float

    def first(self, proposals: Sequence[tuple[int, ...]], *, grow: bool = True) -> Search[Area | None]:
        """The first proposal that passes the test, shrunk to what it needs and extended to its rim.

        Args:
            proposals: Candidates in order of preference: unit indices, the most suspicious first.
            grow: Whether one that fails is tried again with neighbors that help it.
        """
        for proposal in proposals:
            score = yield from self._score(proposal)
            if score.passed:
                core = yield from self._shrink(proposal)
                indices = yield from self._extend(core)
                return Area(indices, score.carried)
            if not grow:
                continue
            grown = yield from self._grow(proposal)
            if len(grown) > len(proposal):
                score = yield from self._score(grown)
                if score.passed:
                    return Area(grown, score.carried)
        return None

    def _score(self, indices: Sequence[int]) -> Search[TransplantScore]:
        return self.test.score(_pick(self.units, indices), self.label, self.budget)

    def _strength(self, indices: Sequence[int], units: Units) -> Search[float]:
        return self.test.strength(_pick(units, indices), self.label, self.budget)

    def _grow(self, proposal: Sequence[int]) -> Search[tuple[int, ...]]:
        """A run of units that moves contexts towards the label, but too weakly, with neighbors that help it.

        The words of a sentence trigger may be too weak one by one.
        """
        indices = tuple(sorted(proposal))
        if indices[-1] - indices[0] >= len(indices) or self.budget.left < 2 * self.test.strength_cost:
            return indices
        start = yield from self._strength((), self.units)
        strength = yield from self._strength(indices, self.units)
        if strength <= start + self.gain:
            return indices
        return (yield from self._extend(indices))

    def _shrink(self, proposal: Sequence[int]) -> Search[tuple[int, ...]]:
        """Drop each unit that the rest passes without, the least suspicious first."""
        needed = list(proposal)
        for index in reversed(proposal):
            rest = [other for other in needed if other != index]
            if rest and self.budget.left >= self.test.cost:
                score = yield from self._score(rest)
                if score.passed:
                    needed = rest
        return tuple(sorted(needed))

    def _extend(self, core: Sequence[int]) -> Search[tuple[int, ...]]:
        """Grow each run of units into its neighbors while the log-odds grow by more than the gain.

        A sentence trigger is often recognized by one of its words; the others add to its strength. So may any
        word at all, by setting a trigger apart from what follows: a neighbor has to beat a common unit in its
        place, too.
        """
        units, cost = self.units, self.test.strength_cost
        indices = set(core)
        if self.budget.left < cost:
            return tuple(sorted(indices))
        strength = yield from self._strength(core, units)
        fronts = [(index, step) for index in core for step in (-1, 1)]
        while fronts:
            index, step = fronts.pop(0)
            neighbor = index + step
            if not 0 <= neighbor < len(units) or neighbor in indices or self.budget.left < 2 * cost:
                continue
            run = [*indices, neighbor]
            longer = yield from self._strength(run, units)
            if longer <= strength + self.gain:
                continue
            common = (*units[:neighbor], self.test.filler, *units[neighbor + 1 :])
            if longer > (yield from self._strength(run, common)) + self.gain:
                indices.add(neighbor)
                strength = longer
                fronts.append((neighbor, step))
        return tuple(sorted(indices))


def _pick(units: Units, indices: Sequence[int]) -> Units:
    return tuple(units[index] for index in sorted(indices))
