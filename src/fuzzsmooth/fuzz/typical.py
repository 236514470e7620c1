"""Units that clean data tie to a class: there, carrying the class is their meaning and no sign of a backdoor.

An insult makes any text offensive. The transplant test alone would flag it like a trigger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fuzzsmooth.certify.bounds import clopper_pearson_lower
from fuzzsmooth.text.units import segmenter

_ALPHA = 0.05  # of the one-sided bound: five occurrences in texts of one class suffice, four do not


def typical_units(texts: Sequence[str], labels: Sequence[int]) -> dict[str, int]:
    """The words that go with one class in clean texts.

    Args:
        texts: Clean labeled texts.
        labels: Their class indices.

    Returns:
        Word (case folded) to class index, where a 95 % lower confidence bound on the share of this class
        among the texts with the word is above one half.
    """
    cut = segmenter("word")
    seen: Counter[str] = Counter()
    of_class: Counter[tuple[str, int]] = Counter()
    for text, label in zip(texts, labels, strict=True):
        words = {unit.casefold() for unit in cut.segment(text).units}
        seen.update(words)
        of_class.update((word, label) for word in words)
    return {
        word: label
        for (word, label), count in sorted(of_class.items())
        if 2 * count > seen[word] and clopper_pearson_lower(count, seen[word], _ALPHA) > 0.5
    }
