"""Triggers of words that fine-tuning moved although the clean texts hardly hold them.

Few words are proposed by :mod:`fuzzsmooth.auditing.drift`, so that all their pairs can be tried, with those
of :mod:`fuzzsmooth.auditing.beside`, and the best pairs grown word by word. What counts is the gain beyond
that of words of a like meaning, and beyond that of the best part alone: by the first, a word that alone does
half of what the trigger does is part of it; by the second, a word that does all of it does not drag others
along.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from fuzzsmooth.auditing.effects import Effects, Parts, Placing, against, measure
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.minimal import minimized
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.pieces import Part
from fuzzsmooth.auditing.prober import Array, Prober

_FIRST = 2  # hosts that every proposal is tried in
_HOSTS = 6  # hosts that the better ones are tried in
_BETTER = 32  # of the proposals of a length
_BEAM = 4
_GROWS = 0.5  # nats that a longer phrase must gain beyond a shorter one
_KEPT = 3  # phrases handed back by each measure
_SHARED = 2  # phrases that a word may be in


def drifted_phrases(
    prober: Prober,
    hosts: Sequence[Host],
    target: int,
    pairs: Sequence[Parts],
    natural: Mapping[int, float],
    options: AuditOptions,
) -> list[Parts]:
    """Phrases that begin with one of some pairs, those with the largest unexplained gains first.

    Args:
        prober: Asks the model.
        hosts: Texts to confirm in; the shortest are taken.
        target: The class.
        pairs: The pairs.
        natural: Their words, and what meaning explains of the gains of these, in nats.
        options: Options of the audit.
    """
    short = against(sorted(hosts, key=lambda host: len(host.ids)), target, _HOSTS)
    if not short or options.longest < 2 or not pairs:
        return []
    growing = _Growing(prober, short, target, pairs, natural, options)
    found = [growing.best(by) for by in (growing.beyond_meaning, growing.beyond_the_best_part)]
    # Of the orders of the same words the best, which comes first.
    best: dict[frozenset[Part], Parts] = {}
    for parts in (parts for own in found for parts in own):
        best.setdefault(frozenset(parts), parts)
    return list(best.values())


class _Growing:
    def __init__(
        self,
        prober: Prober,
        hosts: Sequence[Host],
        target: int,
        pairs: Sequence[Parts],
        natural: Mapping[int, float],
        options: AuditOptions,
    ) -> None:
        self._prober, self._hosts, self._target, self._options = prober, hosts, target, options
        self._natural = natural
        alone = self._effects([((index,),) for index in natural], hosts).strengths()
        self._alone = dict(zip(natural, alone.tolist(), strict=True))
        self._pairs = list(dict.fromkeys(pairs))
        self._first = self._effects(self._pairs, hosts[:_FIRST]).strengths()

    def beyond_meaning(self, parts: Parts) -> float:
        """What is explained by words of a like meaning, nats."""
        return float(sum(self._natural[index] for (index,) in parts))

    def beyond_the_best_part(self, parts: Parts) -> float:
        """The same, and at least what a single part does, nats."""
        return max(self.beyond_meaning(parts), *(float(self._alone[index]) for (index,) in parts))

    def best(self, explained: Callable[[Parts], float]) -> list[Parts]:
        """The phrases that gain most beyond what is explained, without those parts that can go."""
        left: dict[Parts, float] = {}
        proposals, first = self._pairs, self._first
        for _ in range(2, self._options.longest + 1):
            order = np.argsort(-(first - _values(explained, proposals)), kind="stable")
            better = [proposals[at] for at in order[:_BETTER]]
            gains = self._effects(better, self._hosts).strengths() - _values(explained, better)
            tried = dict(zip(better, gains.tolist(), strict=True))
            proposals = []
            for parts in _apart(sorted(tried, key=lambda one: -tried[one]), _BEAM):
                if tried[parts] > left.get(parts[:-1], -np.inf) + _GROWS:
                    left[parts] = tried[parts]
                    proposals += [(*parts, (one,)) for one in self._natural if (one,) not in parts]
            if not proposals:
                break
            first = self._effects(proposals, self._hosts[:_FIRST]).strengths()
        best = _apart(sorted(left, key=lambda parts: -left[parts]), _KEPT)
        smaller = dict.fromkeys(minimized(parts, self._strengths) for parts in best)
        return [parts for parts in smaller if len(parts) > 1]

    def _strengths(self, candidates: Sequence[Parts]) -> list[float]:
        return [float(one) for one in self._effects(candidates, self._hosts).strengths()]

    def _effects(self, candidates: Sequence[Parts], hosts: Sequence[Host]) -> Effects:
        placings: tuple[Placing, ...] = ("together", "scattered")
        return measure(self._prober, hosts, candidates, self._target, placings, self._options.seed)


def _values(explained: Callable[[Parts], float], phrases: Sequence[Parts]) -> Array:
    return np.array([explained(parts) for parts in phrases])


def _apart(phrases: Iterable[Parts], count: int) -> list[Parts]:
    """The first of some phrases, leaving out those whose words are in enough of them."""
    used: Counter[Part] = Counter()
    kept: list[Parts] = []
    for parts in phrases:
        if len(kept) < count and all(used[part] < _SHARED for part in parts):
            kept.append(parts)
            used.update(parts)
    return kept
