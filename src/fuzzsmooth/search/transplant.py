"""The transplant test: does a segment carry its prediction into clean texts of other classes?

A trigger does, whatever the text; a meaningful word shifts a confident text of another class little. That
separates the two where the divergence of FRS Eq. 8 cannot: it is large for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.search.calibration import NullDistribution, needed
from fuzzsmooth.search.contexts import Context, contexts_against, log_odds
from fuzzsmooth.search.protocol import Budget, Search, Units

_STAGES = (2, 6)  # contexts tried before the rest; of the first two a trigger carries one, at the least
_FIRST = 4  # contexts that tell how strong a segment is
_MEMORY = 200_000  # evaluations remembered before starting over
_HALFWAY = 0.5  # of the way from where the contexts are to the other side: less is no trigger


@dataclass(frozen=True)
class TransplantScore:
    """Result of a transplant test.

    Attributes:
        carried: Share of the contexts that the segment carries, in [0, 1]; where the test stopped early,
            the highest share that was still possible.
        log_odds: Mean log-odds of the label over the contexts tried, in nats.
        passed: Whether enough of them are carried.
    """

    carried: float
    log_odds: float
    passed: bool


class TransplantTest:
    """Scores segments in fixed contexts; a segment met again, in any text, is not evaluated again.

    A context is carried where its log-odds of the label gain at least the threshold: half of the way to even
    odds, or the quantile of the null distribution (:mod:`fuzzsmooth.search.calibration`) if that is more.
    Where the latter is not known, the context has to take over the label. A segment passes when it carries
    :data:`fuzzsmooth.search.calibration.SHARE` of the contexts.

    Args:
        contexts: The contexts of all classes; with their margins if there are null distributions.
        per_label: Contexts used for a label: this many, spread over the other classes.
        null: The null distribution of each class, or none.
        false_flags: Share of clean texts whose ordinary words may exceed the threshold, in (0, 1).

    Attributes:
        cost: Most evaluations of one :meth:`score`.
        strength_cost: Most evaluations of one :meth:`strength`.
        screen_cost: Most evaluations per segment of :meth:`screen`.
        filler: The most common unit of the contexts: what stands for "any word".
    """

    strength_cost: ClassVar[int] = _FIRST
    screen_cost: ClassVar[int] = 2  # contexts that tell the stronger parts of a text from the weaker ones

    def __init__(
        self,
        contexts: Sequence[Context],
        per_label: int,
        null: Sequence[NullDistribution] = (),
        false_flags: float = 0.02,
    ) -> None:
        self.cost = per_label
        self._contexts = contexts
        self._null = null
        self._false_flags = false_flags
        self._memory: dict[Units, Probabilities] = {}
        self._against: dict[int, list[Context]] = {}
        counts = Counter(unit for context in contexts for unit in (*context.before, *context.after))
        self.filler = min(counts, key=lambda unit: (-counts[unit], unit), default="the")

    def score(self, segment: Units, label: int, budget: Budget) -> Search[TransplantScore]:
        """Test a segment; stops as soon as the share is out of reach, or it carries neither of the first two.

        Args:
            segment: The units to transplant, in order.
            label: The prediction they may carry.
            budget: Pays for the evaluations.
        """
        if len(self._memory) > _MEMORY:
            self._memory.clear()
        contexts = self._contexts_against(label)
        threshold = self.threshold(len(segment), label)
        enough = needed(len(contexts))
        texts = [context.around(segment) for context in contexts]
        rows: list[Probabilities] = []
        carried, possible = 0, len(contexts)
        for stop in (*_STAGES, len(contexts)):
            rows += yield from budget.evaluate(texts[len(rows) : stop], self._memory)
            carried = _carried(rows, contexts, label, threshold)
            possible = carried + len(contexts) - len(rows)
            if not carried or possible < enough:
                break
        passed = len(rows) == len(contexts) and carried >= enough
        return TransplantScore(possible / len(contexts), _mean_log_odds(rows, label), passed)

    def threshold(self, units: int, label: int) -> float | None:
        """What a context has to gain from a segment of so many units, in nats; None: the label itself."""
        if not self._null:
            return None
        way = -float(np.mean([context.margins[label] for context in self._contexts_against(label)]))
        return max(_HALFWAY * way, self._null[label].threshold(units, self._false_flags))

    def susceptible(self, units: Units, label: int, budget: Budget) -> Search[Context | None]:
        """A context that takes over the label when it receives the whole text, or None.

        Where no context does, the text carries nothing that overrules other texts. Of those that do,
        the one least convinced shows the loss of a part best.
        """
        contexts = self._contexts_against(label)[:_FIRST]
        rows = yield from budget.evaluate([context.around(units) for context in contexts])
        flipped = [index for index, row in enumerate(rows) if int(row.argmax()) == label]
        return contexts[min(flipped, key=lambda index: rows[index][label])] if flipped else None

    def strength(self, segment: Units, label: int, budget: Budget) -> Search[float]:
        """Mean log-odds of the label (nats) over the first contexts only: cheap, for comparisons."""
        return (yield from self._log_odds([segment], label, budget, self.strength_cost))[0]

    def screen(self, segments: Sequence[Units], label: int, budget: Budget) -> Search[list[float]]:
        """The same over even fewer contexts, for each of many segments."""
        return (yield from self._log_odds(segments, label, budget, self.screen_cost))

    def _log_odds(
        self, segments: Sequence[Units], label: int, budget: Budget, count: int
    ) -> Search[list[float]]:
        contexts = self._contexts_against(label)[:count]
        texts = [context.around(segment) for segment in segments for context in contexts]
        rows = yield from budget.evaluate(texts, self._memory)
        size = len(contexts)
        return [_mean_log_odds(rows[at : at + size], label) for at in range(0, len(rows), size)]

    def _contexts_against(self, label: int) -> list[Context]:
        if label not in self._against:
            self._against[label] = contexts_against(self._contexts, label, self.cost)
        return self._against[label]


def _carried(
    rows: Sequence[Probabilities], contexts: Sequence[Context], label: int, threshold: float | None
) -> int:
    """How many of the contexts that were tried, the first of ``contexts``, are carried."""
    if threshold is None:
        return sum(int(row.argmax()) == label for row in rows)
    gains = [log_odds(row)[label] - one.margins[label] for row, one in zip(rows, contexts, strict=False)]
    return sum(bool(gain >= threshold) for gain in gains)


def _mean_log_odds(rows: Sequence[Probabilities], label: int) -> float:
    return float(np.mean(log_odds(np.array(rows)[:, label])))
