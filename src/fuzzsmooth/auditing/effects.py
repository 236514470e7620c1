"""What inserted parts do to clean texts, for each way of placing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.pieces import Part
from fuzzsmooth.auditing.prober import Array, Prober
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.protocol import TokenClassifier

Parts: TypeAlias = tuple[Part, ...]
"""Parts of a trigger, in order."""
Placing = Literal["start", "middle", "end", "together", "scattered"]
"""All parts side by side at the start, in the middle, at the end or at a random gap; or each at its own."""
ONE: tuple[Placing, ...] = ("start", "middle", "end")
SEVERAL: tuple[Placing, ...] = ("start", "together", "scattered")


@dataclass(frozen=True)
class Effects:
    """What each of several candidates did.

    Attributes:
        gains: Log-odds that the target gains (nats), shape (candidates, placings, hosts).
        moved: Whether the target is given, the same shape.
        placings: The ways of placing.
    """

    gains: Array
    moved: npt.NDArray[np.bool_]
    placings: tuple[Placing, ...]

    def strengths(self) -> Array:
        """Mean gain of each candidate at its best placing, shape (candidates,)."""
        found: Array = self.gains.mean(axis=2).max(axis=1)
        return found

    def rates(self) -> Array:
        """Share of the hosts that get the target at the best placing, shape (candidates,)."""
        found: Array = self.moved.mean(axis=2)[np.arange(len(self.gains)), self.best()]
        return found

    def best(self) -> npt.NDArray[np.int64]:
        """The best placing of each candidate, shape (candidates,)."""
        found: npt.NDArray[np.int64] = self.gains.mean(axis=2).argmax(axis=1)
        return found

    def placing(self, candidate: int) -> Placing:
        """The best placing of a candidate."""
        return self.placings[int(self.best()[candidate])]


def placings_of(parts: Parts) -> tuple[Placing, ...]:
    """The placings that differ for so many parts."""
    return ONE if len(parts) == 1 else SEVERAL


def against(hosts: Sequence[Host], target: int, most: int | None = None) -> list[Host]:
    """The hosts of classes other than a target, the classes taking turns; at most so many."""
    by_class: dict[int, list[Host]] = {}
    for host in hosts:
        if host.label != target:
            by_class.setdefault(host.label, []).append(host)
    longest = max((len(group) for group in by_class.values()), default=0)
    turns = [group[turn] for turn in range(longest) for group in by_class.values() if turn < len(group)]
    return turns[:most]


def measure(
    prober: Prober,
    hosts: Sequence[Host],
    candidates: Sequence[Parts],
    target: int,
    placings: Sequence[Placing],
    seed: int,
    *,
    written: bool = False,
) -> Effects:
    """Insert candidates into hosts; where they go depends on seed, host and placing alone.

    Args:
        prober: Asks the model.
        hosts: Texts of classes other than the target, at least one.
        candidates: What is inserted.
        target: The class.
        placings: How; each is tried in each host.
        seed: Decides random gaps.
        written: Whether candidates are written into the texts, which are then read anew: what stands beside
            a piece may change how it reads.
    """
    read = partial(read_anew, prober.classifier) if written else row_of
    rows = [
        read(host, parts, placing, seed, at)
        for parts in candidates
        for placing in placings
        for at, host in enumerate(hosts)
    ]
    gains, given = prober.gains(rows, [*hosts] * (len(candidates) * len(placings)))
    shape = len(candidates), len(placings), len(hosts)
    return Effects(gains[:, target].reshape(shape), (given == target).reshape(shape), tuple(placings))


def row_of(host: Host, parts: Parts, placing: Placing, seed: int, index: int) -> npt.NDArray[np.int64]:
    """The ids of a host, the one of this index, with parts inserted."""
    return host.holding(parts, gaps_of(host, len(parts), placing, seed, index))


def text_of(host: Host, parts: Parts, placing: Placing, seed: int, index: int) -> str | None:
    """The text of a host, the one of this index, with parts written into it; None if that is not known."""
    return host.written(parts, gaps_of(host, len(parts), placing, seed, index))


def read_anew(
    classifier: TokenClassifier, host: Host, parts: Parts, placing: Placing, seed: int, index: int
) -> npt.NDArray[np.int64]:
    """The ids of that text, as the model reads it."""
    text = text_of(host, parts, placing, seed, index)
    if text is None:
        return row_of(host, parts, placing, seed, index)
    return np.array(classifier.encode([text]).ids[0], dtype=np.int64)


def gaps_of(host: Host, parts: int, placing: Placing, seed: int, index: int) -> list[int]:
    """Where so many parts go in a host, the one of this index."""
    if placing in ("start", "middle", "end"):
        return [host.gap(placing)] * parts
    draw = generator(seed, f"audit {placing}", index)
    return host.drawn(parts, draw) if placing == "scattered" else host.drawn(1, draw) * parts
