"""One answer of many views: each token is the likeliest by the mean of their distributions.

Every view goes on from the same tokens, so that an answer is one piece of text by construction, where the
vote over whole answers gives one that a single view has written. A token that one view forces has at most its
share of the mixture: what K - 1 of K views do not want is written only if they agree on nothing else. It is
empirical all the same: no theorem bounds a sequence of such choices, each of which the next ones go on from.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fuzzsmooth.models.fixed_shapes import one_threaded
from fuzzsmooth.models.generating import GeneratingModel


@dataclass(frozen=True)
class Mixed:
    """An answer that was written by a mixture.

    Attributes:
        answer: It.
        probability: The mean probability of its tokens, and of the end, in the mixture, in (0, 1].
        agreeing: How many views find each of its tokens the likeliest.
    """

    answer: str
    probability: float
    agreeing: int


def mixed_answer(model: GeneratingModel, views: Sequence[Sequence[int]]) -> Mixed:
    """Write behind several views of a text at once.

    Args:
        model: The model.
        views: Token ids of each view, at least one; equal ones count as often as they are there.

    Raises:
        FuzzsmoothError: If the model gives values that are not finite, or takes too long.
    """
    distinct = list(dict.fromkeys(map(tuple, views)))
    weights = np.array([sum(tuple(view) == one for view in views) for one in distinct], dtype=np.float64)

    @torch.inference_mode()
    def write() -> Mixed:
        began, written, chances = time.monotonic(), list[int](), list[float]()
        agreed = np.ones(len(distinct), dtype=bool)
        following = [model.following(view) for view in distinct]
        token: int | None = None
        while token not in model.ends:
            if token is not None:
                written.append(token)
                if len(written) == model.options.max_tokens:
                    break
                model.check_time(began, len(written))
            rows = np.stack([one(token).double().softmax(dim=0).numpy() for one in following])
            mixture = weights @ rows / weights.sum()
            token = int(mixture.argmax())  # of equal ones the lowest
            chances.append(float(mixture[token]))
            agreed &= rows.argmax(axis=1) == token
        return Mixed(model.read(written), float(np.mean(chances)), int(weights[agreed].sum()))

    model.forward_count += len(distinct)
    return one_threaded(write)
