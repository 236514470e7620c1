"""Hosts: reference texts cut in two, where a suspicious segment is transplanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.protocol import Units
from fuzzsmooth.search.rewards import log_odds
from fuzzsmooth.text.units import Segmenter


@dataclass(frozen=True)
class Host:
    """A reference text cut in two at the place where segments are transplanted.

    Attributes:
        before: Units before the place.
        after: Units after it.
        label: The reference's class.
        log_odds: Log-odds of each class in the reference as it is, in nats; empty until :func:`weighed`.
    """

    before: Units
    after: Units
    label: int
    log_odds: tuple[float, ...] = ()

    def receive(self, segment: Units) -> Units:
        """The reference with the segment inserted."""
        return self.before + segment + self.after


def hosts(texts: Sequence[str], labels: Sequence[int], segmenter: Segmenter) -> tuple[Host, ...]:
    """Cut each reference at a fixed place; the places of successive references spread over the text."""
    golden = (5**0.5 - 1) / 2  # multiples of the golden ratio spread evenly whatever their number
    prepared = []
    for index, (text, label) in enumerate(zip(texts, labels, strict=True)):
        units = segmenter.segment(text).units
        place = round(((index * golden) % 1.0) * len(units))
        prepared.append(Host(units[:place], units[place:], label))
    return tuple(prepared)


def weighed(hosts: Sequence[Host], classifier: Classifier, join: Callable[[Units], str]) -> tuple[Host, ...]:
    """The references with the log-odds that the classifier gives them."""
    rows = log_odds(classifier.probabilities([join(host.receive(())) for host in hosts]))
    return tuple(
        replace(host, log_odds=tuple(map(float, row))) for host, row in zip(hosts, rows, strict=True)
    )


def hosts_against(hosts: Sequence[Host], label: int, count: int) -> list[Host]:
    """At most ``count`` references of the classes other than ``label``, the classes taking turns."""
    by_class: dict[int, list[Host]] = {}
    for host in hosts:
        if host.label != label:
            by_class.setdefault(host.label, []).append(host)
    longest = max((len(group) for group in by_class.values()), default=0)
    turns = [group[turn] for turn in range(longest) for group in by_class.values() if turn < len(group)]
    return turns[:count]
