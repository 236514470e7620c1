"""Norm clipping of the parameters during smoothed fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from fuzzsmooth.common.options import require


@torch.no_grad()
def clip_to_norm_(parameters: Iterable[nn.Parameter], rho: float) -> float:
    """Project the vector of all given parameters onto the l2 ball of radius ``rho``, in place.

    Clipping of FRS fine-tuning (arXiv 2502.06892, Eq. 4). The projection onto a convex set is 1-Lipschitz:
    two parameter vectors never move apart, so a certificate in weight space stays valid after it.

    Args:
        parameters: The parameters; together they are one vector.
        rho: Radius of the ball, > 0, in units of the parameters; infinity never clips.

    Returns:
        The l2 norm before the projection (accumulated in float64).

    Raises:
        FuzzsmoothError: If ``rho`` is not positive or a parameter is not finite; nothing is changed then.
    """
    require(rho > 0, f"rho is {rho}; the clipping norm must be positive")
    given = list(parameters)
    norms = [float(torch.linalg.vector_norm(parameter, dtype=torch.float64)) for parameter in given]
    norm = math.hypot(*norms)
    require(
        math.isfinite(norm),
        "the parameters to clip are not finite; training has diverged, lower the learning rate",
    )
    if norm > rho:
        for parameter in given:
            parameter.mul_(rho / norm)
    return norm
