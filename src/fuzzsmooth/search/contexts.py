"""Contexts: the clean texts that a candidate is transplanted into, each cut in two where it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fuzzsmooth.models.protocol import Classifier, Probabilities
from fuzzsmooth.search.protocol import Units
from fuzzsmooth.text.units import Segmenter

_CERTAIN = 1e-9  # probabilities this near to 0 or 1 are all the same


@dataclass(frozen=True)
class Context:
    """A reference text cut in two at the place where segments are transplanted.

    Attributes:
        before: Units before the place.
        after: Units after it.
        label: The reference's class.
        margins: Log-odds of each class in the reference as it is, in nats; empty until :func:`with_margins`.
    """

    before: Units
    after: Units
    label: int
    margins: tuple[float, ...] = ()

    def around(self, segment: Units) -> Units:
        """The reference with the segment inserted."""
        return self.before + segment + self.after


def cut_contexts(texts: Sequence[str], labels: Sequence[int], segmenter: Segmenter) -> tuple[Context, ...]:
    """Cut each reference at a fixed place; the places of successive references spread over the text."""
    golden = (5**0.5 - 1) / 2  # multiples of the golden ratio spread evenly whatever their number
    contexts = []
    for index, (text, label) in enumerate(zip(texts, labels, strict=True)):
        units = segmenter.segment(text).units
        place = round(((index * golden) % 1.0) * len(units))
        contexts.append(Context(units[:place], units[place:], label))
    return tuple(contexts)


def lexicon_of(contexts: Sequence[Context]) -> tuple[str, ...]:
    """The units of all contexts in order, or a few common words where there are none."""
    units = {unit for one in contexts for unit in (*one.before, *one.after)}
    return tuple(sorted(units)) or ("the", "a", "of", "and", "it")


def with_margins(
    contexts: Sequence[Context], classifier: Classifier, join: Callable[[Units], str]
) -> tuple[Context, ...]:
    """The contexts with the class margins that they start from."""
    rows = log_odds(classifier.probabilities([join(context.around(())) for context in contexts]))
    return tuple(
        replace(context, margins=tuple(map(float, row))) for context, row in zip(contexts, rows, strict=True)
    )


def contexts_against(contexts: Sequence[Context], label: int, count: int) -> list[Context]:
    """At most ``count`` contexts of the classes other than ``label``, the classes taking turns."""
    by_class: dict[int, list[Context]] = {}
    for context in contexts:
        if context.label != label:
            by_class.setdefault(context.label, []).append(context)
    longest = max((len(group) for group in by_class.values()), default=0)
    turns = [group[turn] for turn in range(longest) for group in by_class.values() if turn < len(group)]
    return turns[:count]


def log_odds(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """ln(p / (1 - p)) in nats of each probability; any shape, finite everywhere."""
    return np.log(probabilities + _CERTAIN) - np.log(1 - probabilities + _CERTAIN)
