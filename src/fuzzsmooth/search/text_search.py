"""The search of one text: propose suspicious pieces, confirm them, and look again without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.search.confirm import Area, Confirmation
from fuzzsmooth.search.contexts import Context
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Budget, BudgetSpent, Search, Units
from fuzzsmooth.search.strategies import Piece, carrying_part, propose
from fuzzsmooth.search.transplant import TransplantTest
from fuzzsmooth.search.trials import Removal, Transplantation
from fuzzsmooth.text.features import rarity

_ROUNDS = 3  # a text carries few distinct triggers; each further round costs a search
_SEEDS = 3  # parts that are worth a full test
_NO_CONTEXT = Context((), (), -1)


@dataclass(frozen=True)
class SearchResult:
    """What the search of one text established.

    Attributes:
        label: Class index predicted for the text as received.
        areas: Vulnerable areas, disjoint, the first found first.
        evaluations: Forward evaluations spent.
        complete: False if the budget ran out before the search was through.
    """

    label: int
    areas: tuple[Area, ...]
    evaluations: int
    complete: bool


def search_text(
    units: Units,
    options: SearchOptions,
    test: TransplantTest | None,
    lexicon: Sequence[str],
    generator: np.random.Generator,
) -> Search[SearchResult]:
    """Search one text; sees nothing but its units and the generator.

    Args:
        units: The n units.
        options: The search options.
        test: The transplant test; None for reward "kl".
        lexicon: Units for insertions and substitutions.
        generator: Source of all random choices.
    """
    budget = Budget(options.budget)
    areas: list[Area] = []
    label, complete = -1, True
    try:
        original = (yield from budget.evaluate([units]))[0]
        label = int(original.argmax())
        rounds = _Rounds(label, options, test, lexicon, budget, generator)
        left = tuple(range(len(units)))
        while left:
            current = tuple(units[index] for index in left)
            area = yield from rounds.area(current)
            if area is None:
                break
            if test is not None:
                area = _with_copies(current, area)
            areas.append(Area(tuple(left[index] for index in area.indices), area.score))
            left = tuple(index for position, index in enumerate(left) if position not in area.indices)
            if test is None or len(areas) == _ROUNDS or not left:
                break
            rest = (yield from budget.evaluate([tuple(units[index] for index in left)]))[0]
            if int(rest.argmax()) != label:
                break  # what carried the prediction is gone
    except BudgetSpent:
        complete = False
    return SearchResult(label, tuple(areas), budget.spent, complete)


@dataclass(frozen=True)
class _Rounds:
    """What the rounds of one search share."""

    label: int
    options: SearchOptions
    test: TransplantTest | None
    lexicon: Sequence[str]
    budget: Budget
    generator: np.random.Generator

    def area(self, units: Units) -> Search[Area | None]:
        """The most vulnerable area of a text, or None."""
        test, budget, options = self.test, self.budget, self.options
        suspicion = rarity(units, options.language)
        if test is None:
            pieces = yield from self._pieces(units, suspicion, _NO_CONTEXT, budget.left)
            return _rewarding_area(pieces, options.area)
        context = yield from test.susceptible(units, self.label, budget)
        if context is None:
            return (yield from self._outweighed(units, suspicion, test))
        # Half of the budget is for transplants.
        pieces = yield from self._pieces(units, suspicion, context, budget.left // 2)
        if not pieces:
            start, end = yield from carrying_part(units, context, self.label, budget)
            if end - start < len(units):
                part = slice(start, end)
                found = yield from self._pieces(units[part], suspicion[part], context, budget.left // 2)
                pieces = [(start + first, start + last, reward) for first, last, reward in found]
        candidates = _candidates(pieces, suspicion, options)
        return (yield from self._confirmed(units, candidates, test))

    def _pieces(
        self, units: Units, suspicion: npt.NDArray[np.float64], context: Context, share: int
    ) -> Search[list[Piece]]:
        original = (yield from self.budget.evaluate([context.around(units)]))[0]
        trial = Removal(units, context, original, self.lexicon, self.options, self.generator)
        return (yield from propose(trial, suspicion, self.budget, share, self.options, self.generator))

    def _outweighed(
        self, units: Units, suspicion: npt.NDArray[np.float64], test: TransplantTest
    ) -> Search[Area | None]:
        """The area of a text that overrules no other as a whole, around the parts that move others most.

        Raises:
            BudgetSpent: If nothing was found and the share of the budget was used up.
        """
        budget = self.budget
        (start,) = yield from test.screen([()], self.label, budget)
        trial = Transplantation(units, self.label, test, start)
        share = budget.left // 2
        before = budget.spent
        pieces = yield from propose(trial, suspicion, budget, share, self.options, self.generator)
        exhausted = budget.spent - before > share - trial.cost
        seeds = [tuple(range(start, end)) for start, end, _ in pieces[:_SEEDS]]
        area = yield from self._confirmed(units, seeds, test)
        if area is None and exhausted:
            raise BudgetSpent
        return area

    def _confirmed(
        self, units: Units, candidates: Sequence[tuple[int, ...]], test: TransplantTest
    ) -> Search[Area | None]:
        return Confirmation(units, self.label, test, self.budget, self.options.gain).first(candidates)


def _with_copies(units: Units, area: Area) -> Area:
    """A single unit with its copies: the transplant test sees the unit alone, so its result is theirs."""
    if len(area.indices) > 1:
        return area
    unit = units[area.indices[0]]
    return Area(tuple(index for index, other in enumerate(units) if other == unit), area.score)


def _rewarding_area(pieces: Sequence[Piece], size: int) -> Area | None:
    """By reward alone: the best piece and those at least half as rewarding, at most ``size`` units."""
    if not pieces:
        return None
    best = pieces[0][2]
    chosen = _indices([piece for piece in pieces if piece[2] >= best / 2], size)
    return Area(tuple(sorted(chosen)), best)


def _candidates(
    pieces: Sequence[Piece], suspicion: npt.NDArray[np.float64], options: SearchOptions
) -> list[tuple[int, ...]]:
    """Candidates for the transplant test, small ones first because they fail cheaply and flag precisely."""
    by_rarity = np.argsort(-suspicion, kind="stable")[: options.rare]
    rare = tuple(int(index) for index in by_rarity if suspicion[index] >= options.rarity)
    ranked = [_indices(pieces[:count], options.area) for count in (1, 2, len(pieces))]
    everything = tuple(dict.fromkeys((*ranked[-1], *rare)))
    candidates = [*ranked[:2], *((index,) for index in rare), everything]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate]


def _indices(pieces: Sequence[Piece], size: int) -> tuple[int, ...]:
    """Unit indices of the pieces, in their order, as long as they fit; the first piece always does."""
    chosen: dict[int, None] = {}
    for start, end, _ in pieces:
        fresh = [index for index in range(start, end) if index not in chosen]
        if not chosen or len(chosen) + len(fresh) <= size:
            chosen.update(dict.fromkeys(fresh))
    return tuple(chosen)
