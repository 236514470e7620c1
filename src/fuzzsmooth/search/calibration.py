"""The null distribution of the transplant test: what the words of clean texts do to texts of other classes.

An insult makes any text offensive, "hilarious" makes many a review positive. A segment is suspicious only
when it does more than such words do; the threshold is a conformal quantile of how much they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.contexts import Context, log_odds
from fuzzsmooth.search.protocol import Units

SHARE = 0.8
"""Share of the contexts that a segment has to carry; a few may resist a trigger."""
SEVERAL = 10
"""Words that stand for a segment of several: the search looks for the best of many segments, and a phrase can
say more than its words, so they have to be more than the few that it proposes together."""
_SCREENED = 2  # contexts that tell the stronger words of a text from the weaker ones


@dataclass(frozen=True)
class NullDistribution:
    """Gains of the words of clean texts towards their own class, one value per text, increasing.

    The gain of a segment is what at least :data:`SHARE` of the contexts gain in log-odds, in nats.

    Attributes:
        single: Of the strongest word of each text.
        several: Of its ten strongest words together, all of a shorter text.
        in_context: The largest score of a single word in the in-context test of each clean text that the
            model gives the class; 0 where it was not searched.
        in_context_several: The same of segments of several words.
    """

    single: tuple[float, ...] = ()
    several: tuple[float, ...] = ()
    in_context: tuple[float, ...] = ()
    in_context_several: tuple[float, ...] = ()

    def threshold(self, units: int, false_flags: float) -> float:
        """The gain that the words of at most a share ``false_flags`` of clean texts exceed.

        With n texts exchangeable with the text that is scanned, its words exceed the k-th smallest of their
        gains with probability at most 1 - k / (n + 1) (conformal prediction). Fewer than 1 / ``false_flags``
        texts cannot promise as much: then it is the largest, and the probability 1 / (n + 1).

        Args:
            units: Units of the segment that is judged, >= 1.
            false_flags: The share, in (0, 1).

        Returns:
            The threshold in nats; minus infinity where nothing is known.
        """
        return conformal(self.several if units > 1 else self.single, false_flags)


def conformal(scores: Sequence[float], false_flags: float) -> float:
    """The score that a further text exceeds with at most the probability ``false_flags``.

    Args:
        scores: Those of texts exchangeable with it, increasing.
        false_flags: In (0, 1); fewer than 1 / ``false_flags`` texts give the largest score.

    Returns:
        Minus infinity where there are none.
    """
    if not scores:
        return -math.inf
    return scores[min(len(scores), math.ceil((len(scores) + 1) * (1 - false_flags) - 1e-9)) - 1]


def measure_null(
    classifier: Classifier,
    against: Sequence[Context],
    texts: Sequence[Units],
    label: int,
    join: Callable[[Units], str],
) -> NullDistribution:
    """Transplant the strongest words of clean texts of a class into contexts of the others.

    Args:
        classifier: The model that will be protected.
        against: Contexts of the classes other than ``label`` with their margins, at least one.
        texts: Units of the clean texts.
        label: Their class.
        join: Writes units as a text.
    """

    def gains(segments: Sequence[Units], contexts: Sequence[Context]) -> npt.NDArray[np.float64]:
        transplanted = [join(context.around(segment)) for segment in segments for context in contexts]
        reached = log_odds(classifier.probabilities(transplanted)[:, label]).reshape(-1, len(contexts))
        before: npt.NDArray[np.float64] = np.array([context.margins[label] for context in contexts])
        return reached - before

    words = [tuple(dict.fromkeys(units)) for units in texts if units]
    types = sorted({word for text in words for word in text})
    screened = gains([(word,) for word in types], against[:_SCREENED]).mean(axis=1)
    strength = dict(zip(types, screened, strict=True))

    def strongest(text: Units, count: int) -> Units:
        best = sorted(range(len(text)), key=lambda index: (-strength[text[index]], index))[:count]
        return tuple(text[index] for index in sorted(best))

    def increasing(count: int) -> tuple[float, ...]:
        segments = [strongest(text, count) for text in words]
        distinct = list(dict.fromkeys(segments))
        gain = dict(zip(distinct, map(shared_gain, gains(distinct, against)), strict=True))
        return tuple(sorted(round(gain[segment], 4) for segment in segments))

    return NullDistribution(increasing(1), increasing(SEVERAL))


def shared_gain(gains: npt.NDArray[np.float64]) -> float:
    """The gain that at least :data:`SHARE` of the contexts reach; ``gains`` has shape (contexts,)."""
    return float(np.sort(gains)[len(gains) - needed(len(gains))])


def needed(contexts: int) -> int:
    """How many of so many contexts are at least :data:`SHARE` of them."""
    return math.ceil(SHARE * contexts - 1e-9)
