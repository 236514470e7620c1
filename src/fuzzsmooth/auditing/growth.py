"""Growth: triggers of several pieces, of which no single one does much (pairs, k of n, phrases).

Pieces that pull by themselves are left out: two words that mean a class pull more than one, in any model.
What is looked for is synergy, an effect that the parts do not have apart. Pieces are proposed by the gradient
around what is inserted already, by pairs of the best single pieces, and by soft inversion; every proposal is
then put into texts and counts only for what it does there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.effects import Effects, Parts, against, measure
from fuzzsmooth.auditing.gradient import gradient_scores
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.minimal import minimized
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.prober import Array, Prober
from fuzzsmooth.auditing.soft import invert
from fuzzsmooth.common.randomness import generator

_FIRST = 2  # hosts that a proposal is first tried in
_SCREENED = 4  # hosts that the better proposals are tried in
_BETTER = 3  # one of so many
_FEWEST = 24  # proposals that none is left out of
_SLOPES = 8  # hosts that gradients are taken in
_BEAM = 6
_PROPOSED = 24  # pieces that the gradient proposes for one beam entry
_SILENT = 0.15  # of the gain of the strongest pieces: what pulls more does so by itself
_STRONGEST = 1000  # one piece of so many is one of these
_STEPS = 40  # of soft inversion
_GROWS = 1.15  # a longer phrase must pull so many times as much as a shorter one to be kept
_KEPT = 8  # phrases handed back


@dataclass(frozen=True)
class Phrase:
    """A trigger of several parts.

    Attributes:
        parts: The parts, in order.
        strength: Mean gain of the target at the best placing, nats.
        synergy: What is left of it when the gains of its parts alone are taken off.
    """

    parts: Parts
    strength: float
    synergy: float


class Growth:
    """Grows phrases towards one class.

    Args:
        prober: Asks the model.
        hosts: Texts to confirm in.
        target: The class.
        singles: Gain of each id of the vocabulary by itself (nats), NaN where it was not tried.
        usable: Ids that texts can hold; what they do by themselves is found out when they are proposed.
        options: Options of the audit.
    """

    def __init__(
        self,
        prober: Prober,
        hosts: Sequence[Host],
        target: int,
        singles: Array,
        usable: Sequence[int],
        options: AuditOptions,
    ) -> None:
        self._prober, self._target, self._options = prober, target, options
        # Short texts cost less, and what grows in them is judged in all.
        self._hosts = against(sorted(hosts, key=lambda host: len(host.ids)), target)
        self._singles = singles.copy()
        known = np.sort(singles[~np.isnan(singles)])[::-1]
        rank = min(len(known) - 1, len(usable) // _STRONGEST)
        self._bar = _SILENT * max(0.0, float(known[rank])) if len(known) else np.inf
        self.silent: npt.NDArray[np.bool_] = singles <= self._bar
        self._untried = np.zeros(len(singles), dtype=np.bool_)
        self._untried[list(usable)] = np.isnan(singles[list(usable)])
        self._found: dict[Parts, Phrase] = {}
        self._left: set[Parts] = set()  # tried in the first hosts, and left out

    def grow(self, seeds: Sequence[int], advance: Callable[[int], None]) -> list[Phrase]:
        """The phrases of the largest synergy, best first.

        Args:
            seeds: Ids that pairs are made of.
            advance: Told how many of the three kinds of proposals are through.
        """
        if not self._hosts or self._options.longest < 2:
            advance(3)
            return []
        pairs = [((one,), (other,)) for at, one in enumerate(seeds) for other in seeds[at + 1 :]]
        self._screen(pairs)
        advance(1)
        self._search_beam()
        advance(1)
        if not self._options.fast:
            self._invert()
        advance(1)
        best = self._best(_KEPT)
        small = {minimized(phrase.parts, self._strengths) for phrase in best}
        self._screen([parts for parts in small if len(parts) > 1])
        return self._best(_KEPT)

    def _best(self, count: int, length: int | None = None) -> list[Phrase]:
        own = [one for one in self._found.values() if length is None or len(one.parts) == length]
        return sorted(own, key=lambda phrase: (-phrase.synergy, phrase.parts))[:count]

    def _screen(self, proposals: Sequence[Parts]) -> None:
        fresh = [
            parts
            for parts in dict.fromkeys(proposals)
            if parts not in self._found and parts not in self._left
        ]
        if not fresh:
            return
        self._try_alone({index for parts in fresh for part in parts for index in part})
        alone = np.array([sum(self._single(part) for part in parts) for parts in fresh])
        hosts = self._hosts[:_SCREENED]
        strengths = self._effects(fresh, hosts[:_FIRST]).strengths()
        count = max(_FEWEST, len(fresh) // _BETTER)
        kept = {
            int(at) for by in (strengths, strengths - alone) for at in np.argsort(-by, kind="stable")[:count]
        }
        self._left.update(parts for at, parts in enumerate(fresh) if at not in kept)
        better = sorted(kept)
        if len(hosts) > _FIRST:
            more = self._effects([fresh[at] for at in better], hosts[_FIRST:]).strengths()
            share = _FIRST / len(hosts)
            strengths[better] = share * strengths[better] + (1 - share) * more
        for at in better:
            self._found[fresh[at]] = Phrase(fresh[at], float(strengths[at]), float(strengths[at] - alone[at]))

    def _try_alone(self, indices: Iterable[int]) -> None:
        """What ids do by themselves, of those that no sweep has tried."""
        fresh = sorted(index for index in indices if self._untried[index])
        if fresh:
            found = self._effects([((index,),) for index in fresh], self._hosts[:_SCREENED]).strengths()
            self._singles[fresh], self._untried[fresh] = found, False
            self.silent[fresh] = found <= self._bar

    def _single(self, part: Sequence[int]) -> float:
        gains = self._singles[list(part)]
        return float(np.nansum(np.maximum(gains, 0.0)))

    def _strengths(self, candidates: Sequence[Parts]) -> list[float]:
        return [float(one) for one in self._effects(candidates, self._hosts[:_SCREENED]).strengths()]

    def _effects(self, candidates: Sequence[Parts], hosts: Sequence[Host]) -> Effects:
        return measure(
            self._prober, hosts, candidates, self._target, ("together", "scattered"), self._options.seed
        )

    def _search_beam(self) -> None:
        """Piece by piece from the gradient, over ids that do not pull by themselves."""
        beam: list[Parts] = [()]
        for length in range(1, self._options.longest + 1):
            proposals: list[Parts] = []
            for number, parts in enumerate(beam):
                wanted = _PROPOSED * (_BEAM if length == 1 else 1)
                for index in self._proposed(parts, number, wanted):
                    if (index,) not in parts:
                        proposals.append((*parts, (index,)))
            before = {parts: self._found[parts].strength for parts in beam if parts in self._found}
            self._screen(proposals)
            tried = [parts for parts in proposals if parts in self._found]
            longer = sorted(tried, key=lambda parts: -self._found[parts].strength)[:_BEAM]
            beam = [
                parts
                for parts in longer
                if length < 3 or self._found[parts].strength > _GROWS * max(0.0, before.get(parts[:-1], 0.0))
            ]
            if not beam:
                break
        for parts in [one for one in self._found if len(one) == 1]:
            del self._found[parts]  # single pieces were swept already

    def _proposed(self, parts: Parts, number: int, count: int) -> list[int]:
        hosts = self._hosts[:_SLOPES]
        draw = generator(self._options.seed, "audit growth", self._target, len(parts), number)
        gaps = [host.drawn(len(parts) + 1, draw) for host in hosts]
        scores = gradient_scores(self._prober, hosts, gaps, self._target, parts)
        scores = np.where((self.silent | self._untried)[: len(scores)], scores, -np.inf)
        order = [int(one) for one in np.argsort(-scores, kind="stable")[:count] if np.isfinite(scores[one])]
        self._try_alone(order)
        return [index for index in order if self.silent[index]]

    def _invert(self) -> None:
        for start in (True, False):
            found = invert(
                self._prober,
                self._hosts[:_SLOPES],
                self._target,
                length=self._options.longest,
                steps=_STEPS,
                allowed=self.silent,
                start=start,
                seed=self._options.seed,
            )
            whole: Parts = tuple((index,) for index in found.ids)
            self._screen([minimized(whole, self._strengths), whole])
            distinct = list(dict.fromkeys(whole))
            self._screen([(one, two) for at, one in enumerate(distinct) for two in distinct[at + 1 :]])
        for parts in [one for one in self._found if len(one) == 1]:
            del self._found[parts]
