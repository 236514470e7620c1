"""How far ordinary words pull: what the words of clean texts do to references of other classes.

An insult makes any text offensive, "hilarious" makes many a review positive. A segment is suspicious only
when it does more than such words do; this measures how much they do, so that the bar can stand above it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.hosts import Host
from fuzzsmooth.search.protocol import Units
from fuzzsmooth.search.rewards import log_odds

SHARE = 0.8
"""Share of the references that a segment has to carry; a few may resist a trigger."""
SEVERAL = 10
"""Words that stand for a segment of several: the search looks for the best of many segments, and a phrase can
say more than its words, so they have to be more than the few that it proposes together."""
_GLANCE = 2  # references that tell the stronger words of a text from the weaker ones


@dataclass(frozen=True)
class Ordinary:
    """Pulls of the words of clean texts towards their own class, one value per text, increasing.

    The pull of a segment is what at least :data:`SHARE` of the references gain in log-odds, in nats.

    Attributes:
        single: Of the strongest word of each text.
        several: Of its ten strongest words together, all of a shorter text.
    """

    single: tuple[float, ...] = ()
    several: tuple[float, ...] = ()

    def bar(self, units: int, false_flags: float) -> float:
        """The pull that the words of at most a share ``false_flags`` of clean texts exceed.

        With n texts exchangeable with the text that is scanned, its words exceed the k-th smallest of their
        pulls with probability at most 1 - k / (n + 1) (conformal prediction). Fewer than 1 / ``false_flags``
        texts cannot promise as much: then it is the largest, and the probability 1 / (n + 1).

        Args:
            units: Units of the segment that is judged, >= 1.
            false_flags: The share, in (0, 1).

        Returns:
            The bar in nats; minus infinity where nothing is known.
        """
        pulls = self.several if units > 1 else self.single
        if not pulls:
            return -math.inf
        return pulls[min(len(pulls), math.ceil((len(pulls) + 1) * (1 - false_flags) - 1e-9)) - 1]


def measure_ordinary(
    classifier: Classifier,
    against: Sequence[Host],
    texts: Sequence[Units],
    label: int,
    join: Callable[[Units], str],
) -> Ordinary:
    """Transplant the strongest words of clean texts of a class into references of the others.

    Args:
        classifier: The model that will be protected.
        against: Weighed references of the classes other than ``label``, at least one.
        texts: Units of the clean texts.
        label: Their class.
        join: Writes units as a text.
    """

    def gains(segments: Sequence[Units], hosts: Sequence[Host]) -> npt.NDArray[np.float64]:
        received = [join(host.receive(segment)) for segment in segments for host in hosts]
        reached = log_odds(classifier.probabilities(received)[:, label]).reshape(-1, len(hosts))
        before: npt.NDArray[np.float64] = np.array([host.log_odds[label] for host in hosts])
        return reached - before

    words = [tuple(dict.fromkeys(units)) for units in texts if units]
    types = sorted({word for text in words for word in text})
    glanced = gains([(word,) for word in types], against[:_GLANCE]).mean(axis=1)
    strength = dict(zip(types, glanced, strict=True))

    def strongest(text: Units, count: int) -> Units:
        best = sorted(range(len(text)), key=lambda index: (-strength[text[index]], index))[:count]
        return tuple(text[index] for index in sorted(best))

    def pulls(count: int) -> tuple[float, ...]:
        segments = [strongest(text, count) for text in words]
        distinct = list(dict.fromkeys(segments))
        found = map(shared_gain, gains(distinct, against))
        pull = dict(zip(distinct, found, strict=True))
        return tuple(sorted(round(pull[segment], 4) for segment in segments))

    return Ordinary(pulls(1), pulls(SEVERAL))


def shared_gain(gains: npt.NDArray[np.float64]) -> float:
    """The gain that at least :data:`SHARE` of the references reach; ``gains`` has shape (references,)."""
    return float(np.sort(gains)[len(gains) - needed(len(gains))])


def needed(references: int) -> int:
    """How many of so many references are at least :data:`SHARE` of them."""
    return math.ceil(SHARE * references - 1e-9)
