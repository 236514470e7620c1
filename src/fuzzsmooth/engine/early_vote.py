"""A vote of K copies that stops once the rest would hardly change its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from fuzzsmooth.engine.sampler import Plan, Sampler, Votes


def early_votes(
    plans: Sequence[Plan],
    sampler: Sampler,
    copies: int,
    doubt: float,
    purpose: str,
    advance: Callable[[int], None] | None = None,
) -> tuple[Votes, list[int]]:
    """Votes of each text, in rounds, until its answer is settled.

    Draw k of a text is the same whenever it is made, so the answer is that of all K copies but for texts on
    which they are divided and the first ones were not.

    Args:
        plans: The texts and the rates of their units.
        sampler: Draws and asks.
        copies: K, the draws of a text at most.
        doubt: Probability that the rest changes the answer, see :func:`reversal`, up to which a vote stops;
            0 for when it cannot.
        purpose: Addresses the draws.
        advance: Told how many texts have just been finished.

    Returns:
        Counts of shape (len(plans), classes), and the draws made for each.
    """
    counts = np.zeros((len(plans), len(sampler.classifier.labels)), dtype=np.int64)
    made = 0
    spent = [0] * len(plans)
    going = list(range(len(plans)))
    while going:
        more = min(copies, max(made + 1, _least(copies, doubt) if made == 0 else made + 2))
        part = [range(made, more)] * len(going)
        counts[going] += sampler.tally([plans[text] for text in going], part, purpose)
        made = more
        left = []
        for text in going:
            spent[text] = made
            leading = int(counts[text].max())
            if made < copies and reversal(leading, made, copies) > doubt:
                left.append(text)
        if advance is not None:
            advance(len(going) - len(left))
        going = left
    return counts, spent


@cache
def reversal(leading: int, made: int, copies: int) -> float:
    """The probability that further draws take the lead away from a class, or share it.

    Under Jeffreys' prior for the probability of the class, and the votes so far: the further ones are
    beta-binomial. 0 where they cannot.

    Args:
        leading: Votes of the leading class, 0 <= leading <= made.
        made: Draws made, whether or not they voted.
        copies: Draws in all, >= made.

    >>> round(reversal(3, 3, 20), 4), reversal(11, 11, 20)
    (0.0294, 0.0)
    """
    rest, needed = copies - made, copies // 2 + 1 - leading
    if needed <= 0:
        return 0.0
    if needed > rest:
        return 1.0
    from scipy.stats import betabinom

    return float(betabinom.cdf(needed - 1, rest, leading + 0.5, made - leading + 0.5))


@cache
def _least(copies: int, doubt: float) -> int:
    """The fewest draws after which a unanimous vote may stop."""
    return next((made for made in range(1, copies) if reversal(made, made, copies) <= doubt), copies)
