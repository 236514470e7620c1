"""How candidates are found: the tree search, and the two baselines it is measured against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fuzzsmooth.search.contexts import Context
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Budget, Search, Units
from fuzzsmooth.search.tree import Segment, SegmentTree
from fuzzsmooth.search.trials import Trial
from fuzzsmooth.text.features import boundary_strengths

Piece = tuple[int, int, float]
"""A segment [start, end) and its reward in [0, 1)."""

_FIFTHS = 5


def propose(
    trial: Trial,
    suspicion: npt.NDArray[np.float64],
    budget: Budget,
    share: int,
    options: SearchOptions,
    generator: np.random.Generator,
) -> Search[list[Piece]]:
    """The pieces that the chosen strategy finds.

    Args:
        trial: How segments are tried, and of which text.
        suspicion: Rarity of each of its n >= 1 units in [0, 1], shape (n,).
        budget: Counts the evaluations.
        share: Most evaluations the search may use.
        options: The search options.
        generator: Source of the random segments.

    Returns:
        The segments that mattered, the most rewarding first.
    """
    share = min(share, budget.left)
    pieces: list[Piece]
    if options.strategy == "tree":
        pieces = yield from tree_search(trial, suspicion, budget, share, options)
    elif options.strategy == "greedy":
        pieces = yield from greedy_search(trial, budget, share, options)
    else:
        pieces = yield from random_search(trial, budget, share, options, generator)
    return pieces


def tree_search(
    trial: Trial, suspicion: npt.NDArray[np.float64], budget: Budget, share: int, options: SearchOptions
) -> Search[list[Piece]]:
    """Monte Carlo tree search, coarse to fine; arguments as in :func:`propose`.

    Returns:
        The finest segments that mattered, the most rewarding first.
    """
    tree = SegmentTree(suspicion, boundary_strengths(trial.units, options.language), options)
    yield from _grow(tree, trial, budget, share, options)
    return [(piece.start, piece.end, piece.reward) for piece in tree.pieces()]


def segments_in_place(
    trial: Trial,
    suspicion: npt.NDArray[np.float64],
    budget: Budget,
    share: int,
    options: SearchOptions,
    generator: np.random.Generator,
) -> Search[list[Piece]]:
    """The segments of all sizes whose removal changes a text most; arguments as in :func:`propose`.

    The tree search splits into fifths, and splits what seems to matter little, too: half of a text is
    mostly answered as the whole, whether or not a trigger was in the other half.
    """
    if options.strategy != "tree":
        return (yield from propose(trial, suspicion, budget, share, options, generator))
    boundaries = boundary_strengths(trial.units, options.language)
    tree = SegmentTree(suspicion, boundaries, options, parts=_FIFTHS, floor=0.0)
    yield from _grow(tree, trial, budget, share, options)
    return [(piece.start, piece.end, piece.reward) for piece in tree.tried()]


def _grow(
    tree: SegmentTree, trial: Trial, budget: Budget, share: int, options: SearchOptions
) -> Search[None]:
    """Simulate until the share is used up or all that is worth it is known."""
    stop = budget.spent + share
    while (affordable := (stop - budget.spent) // trial.cost) > 0:
        paths: list[list[Segment]] = []
        while len(paths) < min(options.leaves, affordable) and (path := tree.select()) is not None:
            paths.append(path)
        if not paths:
            break
        leaves = [path[-1] for path in paths]
        rewards = yield from trial.rewards([(x.start, x.end, x.started > 1) for x in leaves], budget)
        for path, reward in zip(paths, rewards, strict=True):
            tree.backpropagate(path, reward)


def greedy_search(trial: Trial, budget: Budget, share: int, options: SearchOptions) -> Search[list[Piece]]:
    """Try each unit once, left to right as far as the share reaches: the usual greedy ranking."""
    count = min(len(trial.units), share // trial.cost)
    rewards = yield from trial.rewards([(index, index + 1, False) for index in range(count)], budget)
    pieces = [(index, index + 1, reward) for index, reward in enumerate(rewards)]
    return sorted((piece for piece in pieces if piece[2] >= options.floor), key=lambda piece: -piece[2])


def random_search(
    trial: Trial, budget: Budget, share: int, options: SearchOptions, generator: np.random.Generator
) -> Search[list[Piece]]:
    """Try random segments of random lengths."""
    segments = []
    longest = min(len(trial.units), options.max_edits)
    for _ in range(share // trial.cost):
        size = int(generator.integers(1, longest + 1))
        start = int(generator.integers(0, len(trial.units) - size + 1))
        segments.append((start, start + size, False))
    rewards = yield from trial.rewards(segments, budget)
    pieces = [(start, end, reward) for (start, end, _), reward in zip(segments, rewards, strict=True)]
    kept = [piece for piece in dict.fromkeys(pieces) if piece[2] >= options.floor]
    return sorted(kept, key=lambda piece: (-piece[2], piece[1] - piece[0]))


def carrying_part(units: Units, context: Context, label: int, budget: Budget) -> Search[tuple[int, int]]:
    """Halve the text as long as one half alone still carries the label into the context.

    Deleting a trigger shows nothing while a second trigger, or a second copy, is left; but then each of them
    is enough on its own.

    Returns:
        The segment [start, end) that is left; the whole text where neither half carries the label.
    """
    start, end = 0, len(units)
    while end - start > 1 and budget.left >= 2:
        middle = (start + end) // 2
        halves = [(start, middle), (middle, end)]
        rows = yield from budget.evaluate([context.around(units[one:two]) for one, two in halves])
        best = max(range(2), key=lambda half: rows[half][label])
        if int(rows[best].argmax()) != label:
            break
        start, end = halves[best]
    return start, end
