"""From suspicious pieces to flagged segments: confirm by transplant, shrink, extend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Budget, Search, Units
from fuzzsmooth.search.transplant import TransplantTest


@dataclass(frozen=True)
class Area:
    """A vulnerable area T(x'): unit indices of the text and how strongly they carry the prediction.

    Attributes:
        indices: Sorted unit indices.
        score: Share of references carried ("transplant") or reward ("kl"), in [0, 1].
    """

    indices: tuple[int, ...]
    score: float


def confirm(
    units: Units,
    proposals: Sequence[tuple[int, ...]],
    label: int,
    test: TransplantTest,
    budget: Budget,
    options: SearchOptions,
) -> Search[Area | None]:
    """The first proposal that passes the transplant test, shrunk to what it needs and extended to its rim.

    Args:
        units: The n units of the text.
        proposals: Candidates in order of preference: unit indices, the most suspicious first.
        label: The predicted class of the text.
        test: The transplant test.
        budget: Pays for it; :class:`BudgetSpent` may be raised while nothing is confirmed yet.
        options: The gain.
    """
    for proposal in proposals:
        score = yield from test.score(_pick(units, proposal), label, budget)
        if score.passed:
            core = yield from _shrink(units, proposal, label, test, budget)
            indices = yield from _extend(units, core, label, test, budget, options.gain)
            return Area(indices, score.carried)
        grown = yield from _grow(units, proposal, label, test, budget, options.gain)
        if len(grown) > len(proposal):
            score = yield from test.score(_pick(units, grown), label, budget)
            if score.passed:
                return Area(grown, score.carried)
    return None


def _grow(
    units: Units, proposal: Sequence[int], label: int, test: TransplantTest, budget: Budget, gain: float
) -> Search[tuple[int, ...]]:
    """A run of units that pulls towards the label, but too weakly, with the neighbors that help it.

    The words of a sentence trigger may be too weak one by one.
    """
    indices = tuple(sorted(proposal))
    if indices[-1] - indices[0] >= len(indices) or budget.left < 2 * test.probe_cost:
        return indices
    nothing = yield from test.strength((), label, budget)
    strength = yield from test.strength(_pick(units, indices), label, budget)
    if strength <= nothing + gain:
        return indices
    return (yield from _extend(units, indices, label, test, budget, gain))


def _pick(units: Units, indices: Sequence[int]) -> Units:
    return tuple(units[index] for index in sorted(indices))


def _shrink(
    units: Units, proposal: Sequence[int], label: int, test: TransplantTest, budget: Budget
) -> Search[tuple[int, ...]]:
    """Drop each unit that the rest passes without, the least suspicious first."""
    needed = list(proposal)
    for index in reversed(proposal):
        rest = [other for other in needed if other != index]
        if rest and budget.left >= test.cost:
            score = yield from test.score(_pick(units, rest), label, budget)
            if score.passed:
                needed = rest
    return tuple(sorted(needed))


def _extend(
    units: Units, core: Sequence[int], label: int, test: TransplantTest, budget: Budget, gain: float
) -> Search[tuple[int, ...]]:
    """Grow each run of units into its neighbors while the carried log-odds grow by more than ``gain``.

    A sentence trigger is often recognized by one of its words; the others add to its strength. So may any
    word at all, by setting a trigger apart from what follows: a neighbor has to beat a common unit in its
    place, too.
    """
    indices = set(core)
    if budget.left < test.probe_cost:
        return tuple(sorted(indices))
    strength = yield from test.strength(_pick(units, sorted(indices)), label, budget)
    fronts = [(index, step) for index in core for step in (-1, 1)]
    while fronts:
        index, step = fronts.pop(0)
        neighbor = index + step
        if not 0 <= neighbor < len(units) or neighbor in indices or budget.left < 2 * test.probe_cost:
            continue
        run = [*indices, neighbor]
        longer = yield from test.strength(_pick(units, run), label, budget)
        if longer <= strength + gain:
            continue
        common = (*units[:neighbor], test.filler, *units[neighbor + 1 :])
        if longer > (yield from test.strength(_pick(common, run), label, budget)) + gain:
            indices.add(neighbor)
            strength = longer
            fronts.append((neighbor, step))
    return tuple(sorted(indices))
