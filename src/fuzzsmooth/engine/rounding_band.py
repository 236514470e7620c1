"""The rounding band: how far rounding may move a logit margin, measured.

A certificate is about one function of the text. A floating-point model is that function up to rounding,
which depends on the shape of the batch, on padding and on the number type. A draw whose margin between the
two highest logits is larger than every deviation seen gives the same vote however it is computed; the others
count for no class (:class:`fuzzsmooth.engine.sampler.Sampler`, ``band``).

Where draws are made under parameter noise, the function is that of text and noise seed, and deviations are
measured under that noise: it changes what is rounded, and its own computation (a covariance factor of the
activations) adds rounding to that of the model. One seed gives the same noise in every number type up to
rounding, because the normals and the kind of factor depend on the seed and on the number of tokens alone:
measured on MiniLM and a tiny BERT at sigma 0.01, float32 and bfloat16 under the same seeds differ by a
hundredth to a tenth of what the noise moves, hardly more than they do without noise. So float32 is the
reference with noise too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.models.protocol import TokenClassifier, WeightNoise

SAFETY = 4.0
"""Times the largest deviation measured. A sample shows the body of the law of rounding errors, not its tail:
were they normal, the largest of some hundreds would lie near three standard deviations, and four times that
is out of reach of any number of draws. It is a margin of prudence, not a proof: what rests on it against a
coarser number type is conditional on it."""

_TEXTS = 200  # texts measured; more sharpen a maximum only with the logarithm of their number
_BATCHES = (2, 7, 32)  # sequences in a call: below, between and at the sizes that kernels are tiled for


def measure_rounding_band(
    classifier: TokenClassifier,
    texts: Sequence[str],
    *,
    reference: TokenClassifier | None = None,
    noise: WeightNoise | None = None,
    seed: int = 0,
    safety: float = SAFETY,
    copies: Sequence[int] = (),
) -> float:
    """The largest deviation of a logit margin that batches, padding or number types cause, times a factor.

    Each text is evaluated alone, in batches of several sizes, in batches sorted by length (little padding)
    and in the given order (much padding, and beside the longest text). Margins are compared with those of
    the text alone under ``reference``.

    Args:
        classifier: The classifier that will vote, in the number type it will use.
        texts: Texts like those to be voted on, randomized ones at best; the first few hundred are used.
        reference: The same classifier in float32, where ``classifier`` computes in another type; by default
            the classifier itself, which then measures what batches do.
        noise: The parameter noise that draws are made under, or None. Each text then has a noise seed of its
            own, and keeps it in every batch; batches are those that are cut from texts of all lengths.
        seed: Seed of the noise seeds; not read without noise.
        copies: The noise seeds of the draws, where there are but few; the texts take them in turn.
        safety: Factor on the largest deviation seen, >= 1.

    Returns:
        A logit margin, >= 0.

    Raises:
        FuzzsmoothError: If there are no texts, the factor is less than 1, or there is noise and the
            classifier has no parameters.
    """
    require(len(texts) > 0, "give at least one text to measure the rounding band on")
    require(safety >= 1, f"the safety factor must be at least 1, got {safety}")
    rows = list({tuple(row): None for row in classifier.encode(texts[:_TEXTS]).ids})
    seeds = [
        copies[at % len(copies)] if copies else derived_seed(seed, "guard band", at)
        for at in range(len(rows))
    ]
    ask, judge = (_asking(one, rows, noise, seeds) for one in (classifier, reference or classifier))
    alone = np.concatenate([judge([index]) for index in range(len(rows))])
    by_length = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    longest = by_length[-1]
    # Under noise each call sorts what it is given by length, and passes are dear.
    orders = [list(range(len(rows)))] if noise is not None else [by_length, list(range(len(rows)))]
    worst = 0.0
    for size in (1, *_BATCHES) if reference is not None else _BATCHES:
        for order in orders:
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                beside = [*chosen[: size - 1], longest] if size > 1 and order is not by_length else chosen
                worst = max(worst, margin_deviation(ask(beside), alone[beside]))
    return safety * worst


def _asking(
    classifier: TokenClassifier,
    rows: Sequence[tuple[int, ...]],
    noise: WeightNoise | None,
    seeds: Sequence[int],
) -> Callable[[Sequence[int]], npt.NDArray[np.float64]]:
    """What gives the logits of some rows, asked about together; with noise, each row under its own seed."""

    def ask(chosen: Sequence[int]) -> npt.NDArray[np.float64]:
        some = [rows[at] for at in chosen]
        if noise is None:
            return classifier.logits(some, one_batch=True).astype(np.float64)
        return classifier.logits(some, noise=noise, seeds=[seeds[at] for at in chosen]).astype(np.float64)

    return ask


def margin_deviation(found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """The largest change of a difference between two logits of one row, over all rows.

    That is the range, over the classes, of the change of the logits: it bounds the change of the margin
    between any two classes, whichever are the highest.

    Args:
        found: Logits, shape (rows, classes).
        expected: Logits of the same rows.
    """
    return float(np.ptp(found - expected, axis=1).max(initial=0.0))
