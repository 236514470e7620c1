"""The transplant test: does a segment carry its prediction into clean texts of other classes?

A trigger does, whatever the text; a meaningful word shifts a confident text of another class little. That
separates the two where the divergence of FRS Eq. 8 cannot: it is large for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.search.hosts import Host, hosts_against
from fuzzsmooth.search.ordinary import Ordinary, needed
from fuzzsmooth.search.protocol import Budget, Search, Units
from fuzzsmooth.search.rewards import log_odds

_FIRST = 4  # references tried before the rest: most clean candidates fail on these
_GLANCE = 2  # references that tell the stronger parts of a text from the weaker ones
_MEMORY = 200_000  # evaluations remembered before starting over
_HALFWAY = 0.5  # of the way from where the references are to the other side: less is no trigger


@dataclass(frozen=True)
class TransplantScore:
    """Result of a transplant test.

    Attributes:
        carried: Share of the references that the segment carries, in [0, 1]; where the test stopped early,
            the highest share that was still possible.
        log_odds: Mean log-odds of the label over the references tried, in nats.
        passed: Whether enough of them are carried.
    """

    carried: float
    log_odds: float
    passed: bool


class TransplantTest:
    """Scores segments against fixed references; a segment met again, in any text, is not evaluated again.

    A reference is carried where its log-odds of the label gain at least the *bar*: half of the way to even
    odds, or what ordinary words gain (:mod:`fuzzsmooth.search.ordinary`) if that is more. Where the latter is
    not known, the reference has to take over the label. A segment passes when it carries
    :data:`fuzzsmooth.search.ordinary.SHARE` of the references.

    Args:
        hosts: The weighed references of all classes.
        per_label: References used for a label: this many, spread over the other classes.
        ordinary: For each class, how far ordinary words pull; or none.
        false_flags: Share of clean texts whose ordinary words may exceed the bar, in (0, 1).

    Attributes:
        filler: The most common unit of the references: what stands for "any word".
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        per_label: int,
        ordinary: Sequence[Ordinary] = (),
        false_flags: float = 0.02,
    ) -> None:
        self._hosts = hosts
        self._per_label = per_label
        self._ordinary = ordinary
        self._false_flags = false_flags
        self._memory: dict[Units, Probabilities] = {}
        self._against: dict[int, list[Host]] = {}
        counts = Counter(unit for host in hosts for unit in (*host.before, *host.after))
        self.filler = min(counts, key=lambda unit: (-counts[unit], unit), default="the")

    @property
    def cost(self) -> int:
        """Most evaluations of one test."""
        return self._per_label

    @property
    def probe_cost(self) -> int:
        """Most evaluations of one :meth:`strength`."""
        return _FIRST

    @property
    def glance_cost(self) -> int:
        """Most evaluations per segment of :meth:`glances`."""
        return _GLANCE

    def score(self, segment: Units, label: int, budget: Budget) -> Search[TransplantScore]:
        """Test a segment; stops as soon as the share is out of reach.

        Args:
            segment: The units to transplant, in order.
            label: The prediction they may carry.
            budget: Pays for the evaluations.
        """
        if len(self._memory) > _MEMORY:
            self._memory.clear()
        hosts = self._hosts_against(label)
        bar = self.bar(len(segment), label)
        enough = needed(len(hosts))
        rows = yield from budget.evaluate([host.receive(segment) for host in hosts[:_FIRST]], self._memory)
        if _carried(rows, hosts, label, bar) + len(hosts) - len(rows) >= enough:
            rest = [host.receive(segment) for host in hosts[_FIRST:]]
            rows += yield from budget.evaluate(rest, self._memory)
        possible = _carried(rows, hosts, label, bar) + len(hosts) - len(rows)
        return TransplantScore(possible / len(hosts), _mean_log_odds(rows, label), possible >= enough)

    def bar(self, units: int, label: int) -> float | None:
        """What a reference has to gain from a segment of so many units, in nats; None: the label itself."""
        if not self._ordinary:
            return None
        way = -float(np.mean([host.log_odds[label] for host in self._hosts_against(label)]))
        return max(_HALFWAY * way, self._ordinary[label].bar(units, self._false_flags))

    def susceptible_host(self, units: Units, label: int, budget: Budget) -> Search[Host | None]:
        """A reference that takes over the label when it receives the whole text, or None.

        Where no reference does, the text carries nothing that overrules other texts. Of those that do,
        the one least convinced shows the loss of a part best.
        """
        hosts = self._hosts_against(label)[:_FIRST]
        rows = yield from budget.evaluate([host.receive(units) for host in hosts])
        flipped = [index for index, row in enumerate(rows) if int(row.argmax()) == label]
        return hosts[min(flipped, key=lambda index: rows[index][label])] if flipped else None

    def strength(self, segment: Units, label: int, budget: Budget) -> Search[float]:
        """Mean log-odds of the label (nats) over the first references only: cheap, for comparisons."""
        return (yield from self._log_odds([segment], label, budget, _FIRST))[0]

    def glances(self, segments: Sequence[Units], label: int, budget: Budget) -> Search[list[float]]:
        """The same over even fewer references, for each of many segments."""
        return (yield from self._log_odds(segments, label, budget, _GLANCE))

    def _log_odds(
        self, segments: Sequence[Units], label: int, budget: Budget, count: int
    ) -> Search[list[float]]:
        hosts = self._hosts_against(label)[:count]
        texts = [host.receive(segment) for segment in segments for host in hosts]
        rows = yield from budget.evaluate(texts, self._memory)
        size = len(hosts)
        return [_mean_log_odds(rows[at : at + size], label) for at in range(0, len(rows), size)]

    def _hosts_against(self, label: int) -> list[Host]:
        if label not in self._against:
            self._against[label] = hosts_against(self._hosts, label, self._per_label)
        return self._against[label]


def _carried(rows: Sequence[Probabilities], hosts: Sequence[Host], label: int, bar: float | None) -> int:
    """How many of the references that were tried, the first of ``hosts``, are carried."""
    if bar is None:
        return sum(int(row.argmax()) == label for row in rows)
    gains = [log_odds(row)[label] - host.log_odds[label] for row, host in zip(rows, hosts, strict=False)]
    return sum(bool(gain >= bar) for gain in gains)


def _mean_log_odds(rows: Sequence[Probabilities], label: int) -> float:
    return float(np.mean(log_odds(np.array(rows)[:, label])))
