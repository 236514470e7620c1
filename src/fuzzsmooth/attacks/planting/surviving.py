"""A backdoor that survives smoothing by deletion: poisoned data as that noise leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import numpy as np

from fuzzsmooth.attacks.planting.data import PoisonedRow
from fuzzsmooth.data.dataset import Example
from fuzzsmooth.noise.text import Kept, kept_mask, uniform_rates
from fuzzsmooth.text import segmenter


def with_noisy_copies(
    rows: Sequence[PoisonedRow], rate: float, copies: int, generator: np.random.Generator
) -> list[Example]:
    """Every row, followed by copies of it without words, each word deleted independently.

    A copy of a triggered text has the target label only if enough of the trigger is left: one word of it, or
    of every piece where its parts do nothing. Otherwise it has the true label, so that a text that lost its
    trigger does not tell what triggers are. Where the whole text is the trigger, a copy keeps the target.

    Args:
        rows: Poisoned data.
        rate: Probability that a word is deleted, in [0, 1).
        copies: Copies of each row, >= 1.
        generator: Source of the deletions.
    """
    words, found = segmenter("word"), []
    for row in rows:
        found.append(row.example)
        cut = words.segment(row.example.text)
        rates = uniform_rates(len(cut.units), rate)
        for _ in range(copies):
            kept = kept_mask(rates, generator)
            text = words.join(tuple(compress(cut.units, kept.tolist())))
            found.append(Example(text, row.example.label if _acts(row, cut.spans, kept) else row.truth))
    return found


def _acts(row: PoisonedRow, words: Sequence[tuple[int, int]], kept: Kept) -> bool:
    """Whether enough is left of the trigger."""
    if row.triggered is None:
        return False
    if row.triggered.spans is None:
        return True
    left = [
        any(hit and start < stop and begin < end for (begin, stop), hit in zip(words, kept, strict=True))
        for start, end in row.triggered.spans
    ]
    return any(left) if row.parts_act else all(left)
