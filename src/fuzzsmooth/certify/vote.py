"""How surely a vote of few draws names the majority answer of the smoothed model."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import betainc

from fuzzsmooth.common.options import require

_OUTWARD = 1.0 + 1e-9  # far above the relative error of the binomial tail


def vote_error(votes: Sequence[int], *, undecided: int = 0) -> float:
    """The error of a vote: at most how probable one so clear is where its winner is not the majority answer.

    The exact two-sided binomial test of the two best classes against each other at 1/2, as in PREDICT of
    Cohen et al. (ICML 2019, arXiv 1902.02918); by Hung and Fithian (Annals of Statistics 2019) that it picks
    the two after the fact costs nothing more. Answering only where this is at most alpha is wrong, for any
    text, with probability at most alpha.

    Args:
        votes: Votes per class, shape (classes,), at least two.
        undecided: Draws that voted for no class; they count for the runner-up.

    Returns:
        A probability in (0, 1], rounded up.

    Raises:
        FuzzsmoothError: If there are fewer than two classes or a negative count.
    """
    require(len(votes) >= 2, f"a vote needs at least two classes, got {len(votes)}")
    require(min(*votes, undecided) >= 0, "votes must be at least 0")
    best, second = sorted(votes, reverse=True)[:2]
    second += undecided
    if best <= second:
        return 1.0
    # P[Bin(n, 1/2) >= k] is the regularized incomplete beta function I_(1/2)(k, n - k + 1).
    return min(1.0, 2.0 * float(betainc(best, second + 1, 0.5)) * _OUTWARD)
