"""The in-context test: does a segment's effect survive when near-synonyms take its place?

A trigger that works only in some texts (at their start, in long ones, beside a topic word) carries nothing
into others, so transplanting does not show it. But it works because of its letters: replaced where it
stands by words of about the same meaning, its effect vanishes, and that of a meaningful word does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fuzzsmooth.search.calibration import conformal
from fuzzsmooth.search.contexts import log_odds
from fuzzsmooth.search.protocol import Budget, Search, Units
from fuzzsmooth.search.trials import bounded
from fuzzsmooth.search.witness import TrustedReader

_SEGMENTS = 0.5  # of the false flags
_FIRST = 2  # replacements tried before the rest: most meaningful words fail on these


@dataclass(frozen=True)
class InContextTest:
    """Replaces segments where they stand.

    The score of a segment is the smallest drop in the log-odds of the label (nats) over its replacements: the
    i-th replaces each of its units by the i-th nearest word. It passes when that exceeds the conformal
    quantile of what the segments of clean texts reach, single words and longer ones apart; where that is not
    known, when all replacements change the label.

    Attributes:
        reader: Knows near-synonyms.
        single: The largest scores of single words in clean texts, in any order; none where they were not
            measured.
        several: Those of segments of several words.
        false_flags: Share of clean texts of which a single word may be flagged, in (0, 1); of longer
            segments, half as many.
    """

    reader: TrustedReader
    single: Sequence[float]
    several: Sequence[float]
    false_flags: float

    def threshold(self, words: int) -> float | None:
        """The score that a segment has to exceed, in nats; None where the label has to change.

        Args:
            words: Distinct units of the segment.
        """
        known = sorted(self.single if words == 1 else self.several)
        share = self.false_flags * (1.0 if words == 1 else _SEGMENTS)
        return max(0.0, conformal(known, share)) if known else None

    def drop(
        self, units: Units, indices: Sequence[int], label: int, budget: Budget, enough: float
    ) -> Search[float]:
        """The score of a segment; stops as soon as it cannot exceed ``enough``, and returns less or that.

        Args:
            units: The n units of the text.
            indices: Those of the segment.
            label: The prediction of the text.
            budget: Pays for the evaluations.
            enough: In nats; minus infinity for the exact score.
        """
        texts = self._replaced(units, indices)
        rows = yield from budget.evaluate([units, *texts[:_FIRST]])
        start = _of(rows[0], label)
        smallest = start - max(_of(row, label) for row in rows[1:])
        if smallest > enough and len(texts) > _FIRST:
            rows = yield from budget.evaluate(texts[_FIRST:])
            smallest = min(smallest, start - max(_of(row, label) for row in rows))
        return smallest

    def passes(
        self, units: Units, indices: Sequence[int], label: int, budget: Budget
    ) -> Search[float | None]:
        """The score of a segment that passes, or None."""
        start = _of((yield from budget.evaluate([units]))[0], label)
        threshold = self.threshold(len({units[index] for index in indices}))
        enough = start if threshold is None else threshold
        score = yield from self.drop(units, indices, label, budget, enough)
        if score > enough and threshold is None:
            # Of several classes one may have less than even odds and be the label all the same.
            rows = yield from budget.evaluate(self._replaced(units, indices))
            return None if any(int(row.argmax()) == label for row in rows) else score
        return score if score > enough else None

    def _replaced(self, units: Units, indices: Sequence[int]) -> list[Units]:
        near = self.reader.neighbors([units[index] for index in indices])
        texts: list[Units] = []
        for turn in range(max(map(len, near))):
            changed = list(units)
            for index, words in zip(indices, near, strict=True):
                changed[index] = words[min(turn, len(words) - 1)]
            texts.append(tuple(changed))
        return [text for text in dict.fromkeys(texts) if text != units] or [units]


def certainty(drop: float) -> float:
    """A drop in log-odds as the score of a span, in [0, 1)."""
    return bounded(max(0.0, drop))


def _of(row: np.ndarray[tuple[int, ...], np.dtype[np.float64]], label: int) -> float:
    return float(log_odds(np.array([row[label]]))[0])
