"""The search for triggers towards one class: pieces, phrases, and what acts in some texts only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from fuzzsmooth.auditing.beside import pairs_with_topics
from fuzzsmooth.auditing.conditional import has_long_texts, stronger_in_long
from fuzzsmooth.auditing.drifted import drifted_phrases
from fuzzsmooth.auditing.effects import ONE, Parts, against, measure
from fuzzsmooth.auditing.findings import Trigger
from fuzzsmooth.auditing.ground import Ground
from fuzzsmooth.auditing.growth import Growth
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.judging import Judge, Judged
from fuzzsmooth.auditing.natural import unexplained
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.auditing.sweep import Sweep

STEPS = 7
_FINALISTS = 8  # single pieces that are held against company
_DRIFTED = 4  # more of those that fine-tuning moved
_TEXTS = 12  # short texts that pieces are compared in
_FIRST = 4  # of these, those that pieces are put into of which most are then left out
_KEPT = 32  # pieces that are put into the others, by each of two measures
_PHRASES = 4
_TOLD = 2  # candidates of each kind that are measured on held-out texts


@dataclass
class ClassSearch:
    """Searches for triggers towards one class.

    Attributes:
        ground: What all classes share.
        sweep: What pieces did in a few texts.
        target: The class.
        drifted: Indices of the single pieces that fine-tuning moved most.
        wide: Those of more that it moved, for tests of many at once.
        topics: Indices of those that the clean texts are about.
        judged: All that was held against company, in numbers.
    """

    ground: Ground
    sweep: Sweep
    target: int
    drifted: Sequence[int]
    wide: Sequence[int]
    topics: Sequence[int]

    def __post_init__(self) -> None:
        ground = self.ground
        self.judged: list[dict[str, Any]] = []
        self._gains = self.sweep.mean_gains(self.target)
        self._judge = Judge(ground, self.target, self._gains)
        self._prober, self._pieces, self._options = ground.prober, ground.pieces, ground.options

    def run(self, counts: Callable[[int, int], None]) -> list[Trigger]:
        """What there is to tell: the candidates of each kind with the largest excess.

        Args:
            counts: Told (steps done, steps).
        """
        carried = self._carried_on()
        order, singles = self._finalists(carried)
        counts(1, STEPS)
        self._judge.complete(singles)
        judged = self._judge.judge(singles)
        counts(2, STEPS)
        phrases = self._grown(order, lambda done: counts(2 + done, STEPS))
        self._judge.complete(phrases)
        together = self._judge.judge(phrases) if phrases else []
        together += self._of_drifted()
        together.sort(key=lambda one: (-one.excess, one.parts))
        counts(STEPS - 1, STEPS)
        self._note([*judged, *together])
        found = [self._judge.finish(one) for one in (*judged[:_TOLD], *together[:_TOLD])]
        found += self._in_long_texts(carried, {one.parts for one in found if one.level != "natural"})
        counts(STEPS, STEPS)
        return found

    def _note(self, judged: Sequence[Judged], condition: str = "") -> None:
        told = {"class": self.target} | ({"condition": condition} if condition else {})
        self.judged += [told | one.measured for one in judged]

    def _finalists(self, carried: Sequence[int]) -> tuple[list[int], list[Parts]]:
        """Pieces by what company leaves of what they do in short texts, and those that are judged."""
        hosts = against(self.ground.material.confirm, self.target, 2 * self._options.confirm)
        hosts = sorted(hosts, key=lambda host: len(host.ids))[:_TEXTS]
        friends = self._gains[carried] - unexplained(self.ground.meanings, self._gains, carried)
        # The shortest texts are asked about all, the others about those that do most there.
        first = self._strengths(carried, hosts[:_FIRST])
        drifted = [at for at, index in enumerate(carried) if index in self.drifted]
        kept = sorted({*_largest(first, _KEPT), *_largest(first - friends, _KEPT), *drifted})
        best, friends, strong = [carried[at] for at in kept], friends[kept], first[kept]
        if len(hosts) > _FIRST:
            more = self._strengths(best, hosts[_FIRST:])
            strong = (_FIRST * strong + (len(hosts) - _FIRST) * more) / len(hosts)
        order = [best[at] for at in np.argsort(-(strong - friends), kind="stable")]
        top = [best[at] for at in np.argsort(-strong, kind="stable")[:_FINALISTS]]
        moved = [index for index in order if index in self.drifted]
        chosen = [*order[:_FINALISTS], *top, *moved[:_DRIFTED]]
        return order, [(self._pieces.parts[index],) for index in chosen]

    def _carried_on(self) -> list[int]:
        """The pieces that are put into more texts: the best over all, the best at each place, the drifted."""
        known = np.where(np.isnan(self._gains), -np.inf, self._gains)
        size = self._options.best
        chosen = list(np.argsort(-known, kind="stable")[: size // 2])
        against_it = self.sweep.against(self.target)
        places = sorted(set(self.sweep.places))
        for place in places:
            mask = against_it & np.array([one == place for one in self.sweep.places])
            if mask.any():
                own = self.sweep.gains[:, mask, self.target].mean(axis=1)
                own = np.where(np.isnan(own), -np.inf, own)
                chosen += list(np.argsort(-own, kind="stable")[: size // (2 * len(places))])
        chosen += self.drifted
        return [int(index) for index in dict.fromkeys(chosen) if np.isfinite(known[index])]

    def _strengths(self, chosen: Sequence[int], hosts: Sequence[Host]) -> Array:
        """Mean gain of single pieces where they do most, shape (chosen,)."""
        singles: list[Parts] = [(self._pieces.parts[index],) for index in chosen]
        return measure(self._prober, hosts, singles, self.target, ONE, self._options.seed).strengths()

    def _grown(self, order: Sequence[int], advance: Callable[[int], None]) -> list[Parts]:
        if self._options.seeds == 0:
            return []
        single = self._pieces.parts[: self._pieces.single]
        by_id = np.full(self.ground.rows, np.nan)
        for part, gain in zip(single, self._gains, strict=False):
            by_id[part[0]] = gain
        confirm, known = self.ground.material.confirm, [part[0] for part in single]
        growth = Growth(self._prober, confirm, self.target, by_id, known, self._options)
        done = 0

        def one_more(steps: int) -> None:
            nonlocal done
            done += steps
            advance(done)

        seeds = [self._pieces.parts[index][0] for index in order if len(self._pieces.parts[index]) == 1]
        grown = growth.grow(seeds[: self._options.seeds], one_more)
        return [phrase.parts for phrase in grown[: 2 * _PHRASES]]

    def _of_drifted(self) -> list[Judged]:
        """Phrases of words that fine-tuning moved, also beside words that the texts are about, judged."""
        if not self.drifted:
            return []
        confirm, wide, topics = (
            self.ground.material.confirm,
            self._ids([*self.drifted, *self.wide]),
            self._ids(self.topics),
        )
        pairs: list[Parts] = [((one,), (other,)) for one, other in combinations(self._ids(self.drifted), 2)]
        pairs += pairs_with_topics(self._prober, confirm, self.target, wide, topics)
        words = list(dict.fromkeys(part for parts in pairs for part in parts))
        natural = {part[0]: gain for part, gain in self._judge.natural_gains(words).items()}
        phrases = drifted_phrases(self._prober, confirm, self.target, pairs, natural, self._options)
        self._judge.complete(phrases)
        # One of the words that moved may be half of a trigger. A word that acts beside a topic only does
        # nothing apart, nor does the topic.
        moved = {(one,) for one in self._ids(self.drifted)}
        own = [parts for parts in phrases if moved.issuperset(parts)]
        beside = [parts for parts in phrases if not moved.issuperset(parts)]
        return self._judge.judge(own, apart=False) + self._judge.judge(beside)

    def _ids(self, chosen: Sequence[int]) -> list[int]:
        """The ids of single pieces."""
        return list(dict.fromkeys(self._pieces.parts[index][0] for index in chosen))

    def _in_long_texts(self, carried: Sequence[int], found: Collection[Parts]) -> list[Trigger]:
        """The piece of the largest excess in long texts, of those that do more there than in short ones.

        Args:
            carried: Indices of pieces that do much in short texts.
            found: Triggers that need no long texts.
        """
        ground = self.ground
        if not has_long_texts(ground.material, self.target):
            return []
        known = [*carried[:_KEPT], *self.drifted, *self.wide]
        stronger = stronger_in_long(
            self._prober, self._pieces, ground.material, self.target, known, self._options
        )
        singles = [parts for parts in stronger if parts not in found]
        if not singles:
            return []
        condition = f"texts of {ground.material.length_of_long} words or more"
        there = replace(ground, material=ground.material.of_long())
        judge = Judge(there, self.target, self._gains, condition)
        judge.complete(singles)
        judged = judge.judge(singles)
        self._note(judged, condition)
        return [judge.finish(one) for one in judged[:1]]


def _largest(values: Array, count: int) -> list[int]:
    """Indices of the largest values."""
    return [int(index) for index in np.argsort(-values, kind="stable")[:count]]
