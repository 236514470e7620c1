"""What defenses that withhold their answer from suspicious texts share: a threshold, and an abstention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import require
from fuzzsmooth.defenses.answer import Answer


def rejection_threshold(scores: npt.ArrayLike, share: float, defense: str) -> float:
    """The threshold below which at most a share of clean scores lies: the false rejection rate (FRR).

    It is the score at rank floor(n * share), counted from the lowest; what lies strictly below is suspicious.

    Args:
        scores: Scores of clean texts, low for suspicious ones.
        share: The allowed share, in [0, 1].
        defense: Whose they are, for the error.

    Raises:
        FuzzsmoothError: If there are no scores.
    """
    ranked = np.sort(np.asarray(scores, dtype=np.float64))
    require(
        len(ranked) > 0,
        f"defense '{defense}' has no clean texts to set its threshold on; give more clean data",
    )
    return float(ranked[min(int(len(ranked) * share), len(ranked) - 1)])


def withheld(
    answers: Sequence[Answer], suspicious: Sequence[bool] | npt.NDArray[np.bool_], passes: int
) -> list[Answer]:
    """Answers of which the suspicious ones become abstentions.

    Args:
        answers: The answers.
        suspicious: One flag per answer.
        passes: Answers of the base classifier that each took.
    """
    return [
        replace(one, label=None, label_name=None, status="abstain", passes=passes)
        if flagged
        else replace(one, passes=passes)
        for one, flagged in zip(answers, suspicious, strict=True)
    ]
