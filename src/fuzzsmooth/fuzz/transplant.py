"""The transplant test: does a segment carry its prediction into clean texts of other classes?

A trigger does, whatever the text; a meaningful word shifts a confident text of another class little. That
separates the two where the divergence of FRS Eq. 8 cannot: it is large for both.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fuzzsmooth.fuzz.protocol import Budget, Search, Units
from fuzzsmooth.fuzz.references import Host, hosts_against
from fuzzsmooth.models.protocol import Probabilities

_FIRST = 4  # references tried before the rest: most clean candidates fail on these
_GLANCE = 2  # references that tell the stronger parts of a text from the weaker ones
_MEMORY = 200_000  # evaluations remembered before starting over
_TINY = 1e-9


@dataclass(frozen=True)
class TransplantScore:
    """Result of a transplant test.

    Attributes:
        flip_rate: Share of the references that took over the label, in [0, 1]; where the test stopped
            early, the highest rate that was still possible.
        log_odds: Mean log-odds of the label over the references tried, in nats.
        passed: Whether the flip rate reaches the threshold.
    """

    flip_rate: float
    log_odds: float
    passed: bool


class TransplantTest:
    """Scores segments against fixed references; a segment met again, in any text, is not evaluated again.

    Args:
        hosts: The prepared references of all classes.
        threshold: Flip rate from which a segment passes, in (0, 1].
        per_label: References used for a label: this many, spread over the other classes.
        typical: Units, case folded, that are known to go with a class.

    Attributes:
        filler: The most common unit of the references: what stands for "any word".
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        threshold: float,
        per_label: int,
        typical: Mapping[str, int] | None = None,
    ) -> None:
        self._hosts = hosts
        self._threshold = threshold
        self._per_label = per_label
        self._typical = typical or {}
        self._memory: dict[Units, Probabilities] = {}
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

    def is_typical(self, unit: str, label: int) -> bool:
        """Whether the unit is known to go with the label, so that carrying it means nothing."""
        return self._typical.get(unit.casefold()) == label

    def score(self, segment: Units, label: int, budget: Budget) -> Search[TransplantScore]:
        """Test a segment; stops as soon as the threshold is out of reach.

        Args:
            segment: The units to transplant, in order.
            label: The prediction they may carry.
            budget: Pays for the evaluations.
        """
        if len(self._memory) > _MEMORY:
            self._memory.clear()
        hosts = self._hosts_against(label)
        needed = math.ceil(self._threshold * len(hosts) - 1e-9)
        rows = yield from budget.evaluate([host.receive(segment) for host in hosts[:_FIRST]], self._memory)
        if _flips(rows, label) + len(hosts) - len(rows) >= needed:
            rest = [host.receive(segment) for host in hosts[_FIRST:]]
            rows += yield from budget.evaluate(rest, self._memory)
        possible = _flips(rows, label) + len(hosts) - len(rows)
        return TransplantScore(possible / len(hosts), _mean_log_odds(rows, label), possible >= needed)

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
        return hosts_against(self._hosts, label, self._per_label)


def _flips(rows: list[Probabilities], label: int) -> int:
    return sum(int(row.argmax()) == label for row in rows)


def _mean_log_odds(rows: list[Probabilities], label: int) -> float:
    own = np.array([row[label] for row in rows])
    return float(np.mean(np.log(own + _TINY) - np.log(1 - own + _TINY)))
