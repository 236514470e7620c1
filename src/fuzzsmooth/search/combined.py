"""The part of a search that looks at a text where it stands: for reward "combined"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.search.candidates import in_place_candidates, rarest, with_copies, without
from fuzzsmooth.search.confirm import Area
from fuzzsmooth.search.contexts import Context
from fuzzsmooth.search.in_context import InContextTest, certainty
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Budget, BudgetSpent, Search, Units
from fuzzsmooth.search.strategies import segments_in_place
from fuzzsmooth.search.trials import Removal
from fuzzsmooth.text.features import rarity

_NO_CONTEXT = Context((), (), -1)
_PROPOSING = 10  # evaluations that look for segments without which the label changes


@dataclass(frozen=True)
class InPlace:
    """Looks for what forces the label of one text, and tests it by near-synonyms.

    Attributes:
        label: The predicted class of the text.
        test: The in-context test.
        options: The search options.
        lexicon: Units for insertions and substitutions.
        budget: Pays for the evaluations.
        generator: Source of all random choices.
    """

    label: int
    test: InContextTest
    options: SearchOptions
    lexicon: Sequence[str]
    budget: Budget
    generator: np.random.Generator

    def removable(self, units: Units, suspicion: npt.NDArray[np.float64]) -> Search[list[tuple[int, ...]]]:
        """Candidates without which the label changes: whatever forces it is among them, if it is one."""
        original = (yield from self.budget.evaluate([units]))[0]
        trial = Removal(units, _NO_CONTEXT, original, self.lexicon, self.options, self.generator)
        share = min(_PROPOSING, self.budget.left)
        tried = yield from segments_in_place(
            trial, suspicion, self.budget, share, self.options, self.generator
        )
        found = in_place_candidates(tried, self.options)
        candidates = [with_copies(units, Area(candidate, 0.0)).indices for candidate in found]
        rows = yield from self.budget.evaluate([without(units, candidate) for candidate in candidates])
        pairs = zip(candidates, rows, strict=True)
        return [candidate for candidate, row in pairs if int(row.argmax()) != self.label]

    def specific(
        self, units: Units, candidates: Sequence[tuple[int, ...]], *, all_of_them: bool
    ) -> Search[Area | None]:
        """The candidates that pass the in-context test, all of them together or the first."""
        indices: set[int] = set()
        largest = 0.0
        for candidate in candidates:
            try:
                drop = yield from self.test.passes(units, candidate, self.label, self.budget)
            except BudgetSpent:
                if not indices:
                    raise
                break
            if drop is not None:
                indices.update(candidate)
                largest = max(largest, drop)
                if not all_of_them:
                    break
        return Area(tuple(sorted(indices)), certainty(largest)) if indices else None

    def strongest(self, units: Units, suspicion: npt.NDArray[np.float64]) -> Search[tuple[float, float]]:
        """The largest scores of a single unit and of several, in nats: what thresholds are quantiles of."""
        largest = [0.0, 0.0]
        try:
            candidates = yield from self.removable(units, suspicion)
            for candidate in candidates:
                several = len({units[index] for index in candidate}) > 1
                known = largest[several]
                drop = yield from self.test.drop(units, candidate, self.label, self.budget, known)
                largest[several] = max(known, drop)
        except BudgetSpent:
            pass  # a search ends here, too
        return largest[0], largest[1]


def keeps_label(units: Units, label: int, budget: Budget, options: SearchOptions) -> Search[bool]:
    """Whether a text has its label without its rarest units, in one evaluation."""
    rare = rarest(rarity(units, options.language), options)
    if not rare:
        return True
    types = {units[index] for index in rare}
    rest = tuple(unit for unit in units if unit not in types)
    return int((yield from budget.evaluate([rest]))[0].argmax()) == label


def strongest_drops(
    units: Units,
    test: InContextTest,
    options: SearchOptions,
    lexicon: Sequence[str],
    generator: np.random.Generator,
    sure: int | None,
) -> Search[tuple[int, float, float]]:
    """What a search of a text meets in the in-context test.

    Args:
        units: The units of the text.
        test: The test; its thresholds are not read.
        options: The search options.
        lexicon: Units for insertions and substitutions.
        generator: Source of all random choices.
        sure: As in :func:`fuzzsmooth.search.text_search.search_text`.

    Returns:
        The predicted class, and the largest scores in nats of single units and of several; 0 where there are
        none, or the text is not searched.
    """
    budget = Budget(options.budget)
    label = int((yield from budget.evaluate([units]))[0].argmax())
    try:
        if not units or (sure == label and (yield from keeps_label(units, label, budget, options))):
            return label, 0.0, 0.0
    except BudgetSpent:
        return label, 0.0, 0.0
    search = InPlace(label, test, options, lexicon, budget, generator)
    single, several = yield from search.strongest(units, rarity(units, options.language))
    return label, single, several
