"""Rewards of a mutated text."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fuzzsmooth.models.protocol import Probabilities

_TINY = 1e-12
_CERTAIN = 1e-9  # probabilities this near to 0 or 1 are all the same


def kl_divergence(mutated: Probabilities, original: Probabilities) -> float:
    """KL(P(y | mutated) || P(y | original)) in nats (FRS Eq. 8); both of shape (classes,)."""
    ratio = np.log(np.maximum(mutated, _TINY)) - np.log(np.maximum(original, _TINY))
    return max(0.0, float(np.sum(mutated * ratio)))


def bounded(divergence: float) -> float:
    """Map a divergence in [0, inf) to a reward in [0, 1), as the confidence bound assumes."""
    return 1.0 - math.exp(-divergence)


def log_odds(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """ln(p / (1 - p)) in nats of each probability; any shape, finite everywhere."""
    return np.log(probabilities + _CERTAIN) - np.log(1 - probabilities + _CERTAIN)
