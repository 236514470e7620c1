"""Draws in rounds: a text leaves as soon as it is finished, and the next one takes its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import require
from fuzzsmooth.smoothing.sampler import Plan, Sampler, Votes

Finished = Callable[[int, npt.NDArray[np.int64], int], bool]
"""Told the index of a text, its votes per class so far and how many draws were undecided: is it through?"""


@dataclass(frozen=True)
class Rounds:
    """What was drawn.

    Attributes:
        votes: Votes of each text, shape (texts, classes).
        drawn: Draws taken of each text, shape (texts,); those that did not vote were undecided.
    """

    votes: Votes
    drawn: npt.NDArray[np.int64]


def votes_in_rounds(
    sampler: Sampler,
    plans: Sequence[Plan],
    draws: range,
    purpose: str,
    finished: Finished,
    *,
    round_size: int = 64,
    together: int = 64,
    advance: Callable[[int], None] | None = None,
) -> Rounds:
    """Draw of each text until it is finished or its draws are used up, many texts at a time.

    The draws of a text are the first so many of ``draws``, whatever other texts do, so its votes depend on
    ``round_size`` (which says when ``finished`` looks) but not on ``together`` or on the other texts.

    Args:
        sampler: Takes the draws.
        plans: The texts.
        draws: Consecutive draw indices that may be used of each text.
        purpose: As in :meth:`Sampler.votes`.
        finished: Asked once after each round of a text. It must not look at anything but its arguments and
            what it was told before about the same text.
        round_size: Draws of a text between two looks, >= 1.
        together: Texts drawn of at once, >= 1; bounds the memory.
        advance: Told how many texts have just been finished.

    Raises:
        FuzzsmoothError: If a size is less than 1.
    """
    require(round_size >= 1, f"a round must have at least one draw, got {round_size}")
    require(together >= 1, f"at least one text must be drawn of at once, got {together}")
    votes: Votes = np.zeros((len(plans), len(sampler.classifier.labels)), dtype=np.int64)
    drawn = np.zeros(len(plans), dtype=np.int64)
    waiting = iter(range(len(plans)))
    active: list[int] = []
    while True:
        while len(active) < together and draws and (fresh := next(waiting, None)) is not None:
            active.append(fresh)
        if not active:
            return Rounds(votes, drawn)
        parts = [draws[int(drawn[index]) : int(drawn[index]) + round_size] for index in active]
        counts = sampler.tally([plans[index] for index in active], parts, purpose)
        left = []
        for index, part, count in zip(active, parts, counts, strict=True):
            votes[index] += count
            drawn[index] += len(part)
            undecided = int(drawn[index] - votes[index].sum())
            through = finished(index, votes[index].copy(), undecided)
            if not through and drawn[index] < len(draws):
                left.append(index)
        if advance is not None and len(left) < len(active):
            advance(len(active) - len(left))
        active = left
