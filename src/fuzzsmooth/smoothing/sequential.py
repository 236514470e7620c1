"""Draws in rounds, until an anytime-valid test has settled the radii of a text.

All threats share one probability, so their radius levels are merged into one increasing sequence and tested
in that order (see :mod:`fuzzsmooth.certify.sequential`). Texts are drawn for together: a text that is settled
makes room for the next one. Draws are addressed by their index, so neither the rounds nor the neighbors
change what is drawn; they only change where a test may stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import (
    EARLY_SHARE,
    SequentialTest,
    TopClassBound,
    conditional_level,
    hybrid_probability,
)
from fuzzsmooth.certify.bounds import complement_upper, selection_draws, top_class
from fuzzsmooth.certify.looks import LookedTest
from fuzzsmooth.smoothing.evidence import Case, Evidence, Source

_TOGETHER = 64  # texts under way at once
_ROUND = 32  # draws of a first round: few, because many texts need no more
_SELECTING = 16  # draws after which a label may be selected
_LEAD = 10  # votes ahead that select it; otherwise a tenth of all draws is used for selecting


@dataclass(frozen=True)
class Ladder:
    """What the probability of the top class is compared with.

    Attributes:
        levels: Increasing thresholds in (0, 1).
        awaited: Those that are worth drawing for.
    """

    levels: tuple[float, ...]
    awaited: tuple[float, ...]


def sequential_evidence(
    source: Source,
    cases: Sequence[Case],
    ladders: Sequence[Ladder],
    *,
    alpha: float,
    looks: bool = False,
    advance: Callable[[int], None] | None = None,
) -> list[Evidence]:
    """Bound the top class of each text with as few draws as its levels need.

    Two classes: one test per class on the same draws, each at alpha / 2. More: a selection sample, whose size
    may depend on its own votes only, then one test at alpha on further draws.

    Args:
        source: Where the draws come from.
        cases: The texts.
        ladders: The levels of each.
        alpha: Failure probability per text.
        looks: Whether to test at a few planned looks instead of after every round.
        advance: Told how many texts have just been settled.
    """
    done: dict[int, Evidence] = {}
    waiting = iter(zip(cases, ladders, strict=True))
    active: list[_Trial] = []
    while len(done) < len(cases):
        for case, ladder in waiting:
            active.append(_Trial(case, ladder, alpha, looks))
            if len(active) >= _TOGETHER:
                break
        drawing = [(trial, part) for trial in active if (part := trial.next_round())]
        votes = source.votes([trial.case.text for trial, _ in drawing], [part for _, part in drawing])
        for (trial, part), row in zip(drawing, votes, strict=True):
            trial.take(row, len(part))
        settled = [trial for trial in active if trial.settled]
        done.update((trial.case.text, trial.evidence()) for trial in settled)
        active = [trial for trial in active if not trial.settled]
        if settled and advance is not None:
            advance(len(settled))
    return [done[case.text] for case in cases]


class _Trial:
    """A text under way."""

    def __init__(self, case: Case, ladder: Ladder, alpha: float, looks: bool) -> None:
        self.case = case
        self._ladder = ladder
        self._alpha = alpha
        self._looks = looks
        self._classes = len(case.exact_parts)
        self._drawn = 0
        sole = case.contenders is not None and len(case.contenders) == 1
        self._selecting = selection_draws(case.draws, self._classes) if case.draws and not sole else 0
        self._counts = np.zeros(self._classes, dtype=np.int64)
        self._tests: dict[int, SequentialTest | LookedTest | None] = {}
        if not self._selecting:
            tested = case.contenders or range(self._classes)
            self._start(tested if case.draws else [top_class(case.exact_parts)])

    @property
    def settled(self) -> bool:
        """Whether the selected or leading class has nothing more to gain, or all draws are used."""
        if self._drawn >= self.case.draws:
            return True
        if not self._tests:
            return False
        test = self._tests[self._leader() if len(self._tests) > 1 else next(iter(self._tests))]
        return test is None or test.finished

    def next_round(self) -> range:
        """The draws it needs next."""
        if self._tests:
            stop = min(self.case.draws, self._drawn + self._round())
        else:
            stop = min(self._selecting, self._drawn + _SELECTING)
        return range(self._drawn, stop)

    def take(self, votes: npt.NDArray[np.int64], draws: int) -> None:
        """Take in the votes of a round."""
        self._drawn += draws
        self._counts += votes
        if self._tests:
            for label, test in self._tests.items():
                if test is not None:
                    test.update(int(votes[label]), draws - int(votes[label]))
            return
        first, second = np.sort(self._counts)[::-1][:2]
        if self._drawn >= self._selecting or first - second >= _LEAD:
            self._start([self._leader()])

    def evidence(self) -> Evidence:
        """What has been shown."""
        case = self.case
        label = max(self._tests, key=lambda one: (self._shown(one), self._counts[one], -one))
        test, p_lower = self._tests[label], self._shown(label)
        successes, trials = (test.successes, test.draws) if test is not None else (0, 0)
        return Evidence(
            TopClassBound(label, p_lower, complement_upper(p_lower), successes, trials),
            tuple(int(count) for count in self._counts),
            self._drawn,
            "monte_carlo",
            ("hybrid-" if case.hybrid else "") + ("lean" if self._looks else "sequential"),
            enumerated=case.enumerated,
        )

    def _start(self, labels: Sequence[int]) -> None:
        """Test these classes on all further draws; with several, alpha is shared."""
        self._tests = {label: self._test(label, self._alpha / len(labels)) for label in labels}

    def _round(self) -> int:
        """Draws until the next look, or of the next round."""
        ahead = {test.next_look - test.draws for test in self._tests.values() if isinstance(test, LookedTest)}
        return min(ahead, default=max(_ROUND, self._drawn // 4))

    def _test(self, label: int, alpha: float) -> SequentialTest | LookedTest | None:
        """A test of one class; None if no draw can change what is known of it."""

        def conditional(levels: Sequence[float]) -> list[float]:
            if not self.case.hybrid:
                return list(levels)
            part, mass = self.case.exact_parts[label], self.case.mass
            raised = (conditional_level(level, part, mass) for level in levels)
            return [level for level in raised if 0.0 < level < 1.0]

        awaited, cap = conditional(self._ladder.awaited), self.case.draws - self._drawn
        if not awaited or cap < 1:
            return None
        if self._looks:
            return LookedTest(awaited, alpha=alpha, cap=cap)
        return SequentialTest(
            conditional(self._ladder.levels), alpha=alpha, cap=cap, awaited=awaited, early_share=EARLY_SHARE
        )

    def _shown(self, label: int) -> float:
        """Lower bound on the probability of a class."""
        test = self._tests[label]
        rest = 0.0 if test is None else test.p_lower
        if not self.case.hybrid:
            return rest
        return hybrid_probability(self.case.exact_parts[label], self.case.mass, rest)

    def _leader(self) -> int:
        total = max(1, self._drawn)
        return top_class(
            [
                part + (1.0 - self.case.mass) * count / total
                for part, count in zip(self.case.exact_parts, self._counts.tolist(), strict=True)
            ]
        )
