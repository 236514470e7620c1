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

from fuzzsmooth.certify import EARLY_SHARE, Rivals, SequentialTest, TopClassBound
from fuzzsmooth.certify.bounds import complement_upper
from fuzzsmooth.certify.looks import LookedTest
from fuzzsmooth.certify.rivals import RivalsTest
from fuzzsmooth.certify.selection import choose_rivals
from fuzzsmooth.engine.evidence import DrawnText, Evidence, VoteSource

_TOGETHER = 64  # texts under way at once
_ROUND = 32  # draws of a first round: few, because many texts need no more
_SELECTING = 16  # draws after which a label may be selected
_LEAD = 10  # votes ahead that select it; otherwise a tenth of all draws is used for selecting


@dataclass(frozen=True)
class Levels:
    """What the probability of the top class is compared with.

    Attributes:
        levels: Increasing thresholds in (0, 1).
        awaited: Those that are worth drawing for.
    """

    levels: tuple[float, ...]
    awaited: tuple[float, ...]


def sequential_evidence(
    source: VoteSource,
    drawn_texts: Sequence[DrawnText],
    levels_of_each: Sequence[Levels],
    *,
    alpha: float,
    looks: bool = False,
    rivals: Rivals = "complement",
    advance: Callable[[int], None] | None = None,
) -> list[Evidence]:
    """Bound the top class of each text with as few draws as its levels need.

    Two classes: one test per class on the same draws, together at alpha. More: a selection sample, whose size
    may depend on its own votes only, then one test at alpha on further draws.

    Args:
        source: Where the draws come from.
        drawn_texts: The texts.
        levels_of_each: The levels of each.
        alpha: Failure probability per text.
        looks: Whether to test at a few planned looks instead of after every round.
        rivals: How the rivals of three or more classes are bounded; separately at planned looks only.
        advance: Told how many texts have just been settled.
    """
    done: dict[int, Evidence] = {}
    waiting = iter(zip(drawn_texts, levels_of_each, strict=True))
    active: list[_TextTest] = []
    while len(done) < len(drawn_texts):
        for drawn, levels in waiting:
            active.append(_TextTest(drawn, levels, alpha, looks, rivals))
            if len(active) >= _TOGETHER:
                break
        drawing = [(test, part) for test in active if (part := test.next_round())]
        votes = source.votes([test.text.index for test, _ in drawing], [part for _, part in drawing])
        for (test, part), row in zip(drawing, votes, strict=True):
            test.take(row, len(part))
        settled = [test for test in active if test.settled]
        done.update((test.text.index, test.evidence()) for test in settled)
        active = [test for test in active if not test.settled]
        if settled and advance is not None:
            advance(len(settled))
    return [done[drawn.index] for drawn in drawn_texts]


_Test = SequentialTest | LookedTest | RivalsTest


class _TextTest:
    """A text under way."""

    def __init__(self, drawn: DrawnText, levels: Levels, alpha: float, looks: bool, rivals: Rivals) -> None:
        self.text = drawn
        self._levels_to_test = levels
        self._alpha = alpha
        self._looks = looks
        self._rivals = rivals
        self._strata = drawn.strata
        self._classes = len(drawn.exact_parts)
        self._drawn = 0
        self._counts = np.zeros(self._classes, dtype=np.int64)
        self._tests: dict[int, _Test | None] = {}
        if drawn.sole is not None or not drawn.draws:
            self._start([self._leader() if drawn.sole is None else drawn.sole])
        elif not drawn.selecting:
            self._start(range(self._classes))

    @property
    def settled(self) -> bool:
        """Whether the selected or leading class has nothing more to gain, or all draws are used."""
        if self._drawn >= self.text.draws:
            return True
        if not self._tests:
            return False
        test = self._tests[self._leader() if len(self._tests) > 1 else next(iter(self._tests))]
        return test is None or test.finished

    def next_round(self) -> range:
        """The draws it needs next."""
        if self._tests:
            stop = min(self.text.draws, self._drawn + self._round())
        else:
            stop = min(self.text.selecting, self._drawn + _SELECTING)
        return range(self._drawn, stop)

    def take(self, votes: npt.NDArray[np.int64], draws: int) -> None:
        """Take in the votes of a round."""
        self._drawn += draws
        self._counts += votes
        if self._tests:
            for label, test in self._tests.items():
                if isinstance(test, RivalsTest):
                    test.update(votes.tolist(), draws)
                elif test is not None:
                    test.update(int(votes[label]), draws - int(votes[label]))
            return
        first, second = np.sort(self._counts)[::-1][:2]
        if self._drawn >= self.text.selecting or first - second >= _LEAD:
            self._start([self._leader()])

    def evidence(self) -> Evidence:
        """What has been shown."""
        drawn = self.text
        label = max(self._tests, key=lambda one: (self._shown(one), self._counts[one], -one))
        test, p_lower = self._tests[label], self._shown(label)
        successes, trials = (test.successes, test.draws) if test is not None else (0, 0)
        p_upper = test.p_upper if isinstance(test, RivalsTest) else complement_upper(p_lower)
        return Evidence(
            TopClassBound(label, p_lower, p_upper, successes, trials),
            tuple(int(count) for count in self._counts),
            self._drawn,
            "monte_carlo",
            ("stratified-" if drawn.stratified else "")
            + ("group-sequential" if self._looks else "sequential"),
            enumerated=drawn.enumerated,
        )

    def _start(self, labels: Sequence[int]) -> None:
        """Test these classes on all further draws: one that was selected, or both of two."""
        self._tests = {label: self._test(label, alone=len(labels) == 1) for label in labels}

    def _round(self) -> int:
        """Draws until the next look, or of the next round."""
        looked = [test for test in self._tests.values() if isinstance(test, LookedTest | RivalsTest)]
        ahead = {test.next_look - test.draws for test in looked}
        return min(ahead, default=max(_ROUND, self._drawn // 4))

    def _test(self, label: int, *, alone: bool) -> _Test | None:
        """A test of one class; None if no draw can change what is known of it."""
        cap = self.text.draws - self._drawn
        if cap < 1:
            return None
        if alone and self._classes > 2 and self._chosen_rivals(cap) == "separate":
            return RivalsTest(label, self._strata, self._levels_to_test.awaited, alpha=self._alpha, cap=cap)
        awaited = self._conditional(self._levels_to_test.awaited, label)
        if not awaited:
            return None
        majority = None if alone else self._strata.majority(label)
        if self._looks:
            return LookedTest(awaited, alpha=self._alpha, cap=cap, majority=majority)
        return SequentialTest(
            self._conditional(self._levels_to_test.levels, label),
            alpha=self._alpha,
            cap=cap,
            awaited=awaited,
            early_share=EARLY_SHARE,
            majority=majority,
        )

    def _chosen_rivals(self, cap: int) -> Rivals:
        """How to bound the rivals, from the draws that selected the label alone."""
        if self._rivals != "auto":
            return self._rivals
        return choose_rivals(self._strata, self._counts.tolist(), cap, self._alpha)

    def _conditional(self, levels: Sequence[float], label: int) -> list[float]:
        """What must be shown of the draws for the class probability to exceed levels, where they can tell."""
        raised = (self._strata.level(label, level) for level in levels)
        return [level for level in raised if 0.0 < level < 1.0]

    def _shown(self, label: int) -> float:
        """Lower bound on the probability of a class."""
        test = self._tests[label]
        if isinstance(test, RivalsTest):
            return test.p_lower
        return self._strata.lower(label, 0.0 if test is None else test.p_lower)

    def _leader(self) -> int:
        return self._strata.leader(self._counts.tolist())
