"""Figures of detectors over a zoo: how well their scores order the models, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.randomness import generator

Array = npt.NDArray[np.float64]

_RESAMPLED = 2000
_TAIL = 0.025


def roc_auc(backdoored: Array, clean: Array) -> float:
    """Probability that a backdoored model has the larger score, ties counting half (Mann-Whitney).

    Args:
        backdoored: Scores, at least one.
        clean: Scores, at least one.
    """
    larger = (backdoored[:, None] > clean[None, :]).mean()
    ties = (backdoored[:, None] == clean[None, :]).mean()
    return float(larger + ties / 2)


def auc_interval(backdoored: Array, clean: Array, seed: int = 0) -> tuple[float, float]:
    """A 95 % interval by the bootstrap, models of both kinds drawn anew apart.

    An area of 1 has resampled areas of 1 only; its lower end is then that of so many models all in order, for
    which one of the smaller kind is counted as misplaced with 95 % confidence: .05 ^ (1 / models).
    """
    draw = generator(seed, "zoo interval", len(backdoored), len(clean))
    found = np.array(
        [
            roc_auc(draw.choice(backdoored, len(backdoored)), draw.choice(clean, len(clean)))
            for _ in range(_RESAMPLED)
        ]
    )
    low, high = np.quantile(found, [_TAIL, 1 - _TAIL])
    if low == high == 1.0:
        low = _TAIL ** (1 / min(len(backdoored), len(clean)))
    return float(low), float(high)


def rate_at(backdoored: Array, clean: Array, false_alarms: float = 0.05) -> float:
    """Share of the backdoored models above the threshold that at most so many clean ones exceed.

    Args:
        backdoored: Scores.
        clean: Scores, at least one.
        false_alarms: Share of the clean models that may be flagged.
    """
    allowed = int(np.floor(false_alarms * len(clean) + 1e-9))
    threshold = np.sort(clean)[::-1][allowed] if allowed < len(clean) else -np.inf
    return float((backdoored > threshold).mean())


def share(values: Sequence[bool]) -> float | None:
    """The share of what is true; None of none."""
    return float(np.mean(values)) if values else None
