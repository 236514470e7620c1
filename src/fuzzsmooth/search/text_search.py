"""The search of one text: propose suspicious pieces, confirm them, and look again without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.search.candidates import held_suspects, rewarding_area, transplant_candidates, with_copies
from fuzzsmooth.search.combined import InPlace, keeps_label
from fuzzsmooth.search.confirm import Area, Confirmation
from fuzzsmooth.search.contexts import Context
from fuzzsmooth.search.in_context import InContextTest
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Budget, BudgetSpent, Search, Units
from fuzzsmooth.search.strategies import Piece, carrying_part, propose
from fuzzsmooth.search.transplant import TransplantTest
from fuzzsmooth.search.trials import Removal, Transplantation
from fuzzsmooth.text.features import rarity

_ROUNDS = 3  # a text carries few distinct triggers; each further round costs a search
_SEEDS = 3  # parts that are worth a full test
_NO_CONTEXT = Context((), (), -1)
_TRANSPLANTED = 2  # candidates among what is removable that are transplanted, too


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
    in_context: InContextTest | None = None,
    sure: int | None = None,
    suspects: Sequence[Units] = (),
) -> Search[SearchResult]:
    """Search one text; sees nothing but its units and the generator.

    Args:
        units: The n units.
        options: The search options.
        test: The transplant test; None for reward "kl".
        lexicon: Units for insertions and substitutions.
        generator: Source of all random choices.
        in_context: The in-context test; None for the other rewards than "combined".
        sure: The class that the witness is sure of, if it is: a text with that label, which it keeps without
            its rarest units, is not searched.
        suspects: Triggers that are tested first where the text holds them.
    """
    budget = Budget(options.budget)
    areas: list[Area] = []
    label, complete = -1, True
    try:
        original = (yield from budget.evaluate([units]))[0]
        label = int(original.argmax())
        if sure == label and (yield from keeps_label(units, label, budget, options)):
            return SearchResult(label, (), budget.spent, True)
        own = None
        if in_context is not None:
            own = InPlace(label, in_context, options, lexicon, budget, generator)
        rounds = _Rounds(label, options, test, lexicon, budget, generator, own, suspects)
        left = tuple(range(len(units)))
        while left:
            current = tuple(units[index] for index in left)
            area = yield from rounds.area(current)
            if area is None:
                break
            if test is not None:
                area = with_copies(current, area)
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
    in_place: InPlace | None = None
    suspects: Sequence[Units] = ()

    def area(self, units: Units) -> Search[Area | None]:
        """The most vulnerable area of a text, or None."""
        test, budget, options = self.test, self.budget, self.options
        held = held_suspects(units, self.suspects)
        if test is not None and held:
            area = yield from self._confirmed(units, held, test, grow=False)
            if area is not None:
                return area
        suspicion = rarity(units, options.language)
        if self.in_place is not None and test is not None:
            candidates = yield from self.in_place.removable(units, suspicion)
            if candidates:
                return (yield from self._combined(units, candidates, test, self.in_place))
        if test is None:
            pieces = yield from self._pieces(units, suspicion, _NO_CONTEXT, budget.left)
            return rewarding_area(pieces, options.area)
        context = yield from test.susceptible(units, self.label, budget)
        if context is None and self.in_place is not None:
            return None
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
        proposed = transplant_candidates(pieces, suspicion, options)
        return (yield from self._confirmed(units, proposed, test))

    def _combined(
        self, units: Units, candidates: Sequence[tuple[int, ...]], test: TransplantTest, own: InPlace
    ) -> Search[Area | None]:
        """What loses the label to near-synonyms, unit by unit, or carries it into other texts."""
        single = [one for one in candidates if len({units[index] for index in one}) == 1]
        area = yield from own.specific(units, single, all_of_them=True)
        if area is None:
            several = [one for one in candidates if one not in single]
            # A single trigger is part of these, and what is not needed is dropped.
            area = yield from self._confirmed(units, several[:_TRANSPLANTED] or single, test, grow=False)
        if area is None:
            area = yield from own.specific(units, several, all_of_them=False)
        return area

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
        self,
        units: Units,
        candidates: Sequence[tuple[int, ...]],
        test: TransplantTest,
        *,
        grow: bool = True,
    ) -> Search[Area | None]:
        confirmation = Confirmation(units, self.label, test, self.budget, self.options.gain)
        return confirmation.first(candidates, grow=grow)
