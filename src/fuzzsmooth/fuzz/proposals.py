"""How candidates are found: the tree search, and the two baselines it is measured against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.fuzz.mutations import delete_segment, mutate_segment
from fuzzsmooth.fuzz.options import SearchOptions
from fuzzsmooth.fuzz.protocol import Budget, Search, Units
from fuzzsmooth.fuzz.references import Host
from fuzzsmooth.fuzz.rewards import bounded, kl_divergence
from fuzzsmooth.fuzz.tree import Segment, SegmentTree
from fuzzsmooth.text.features import boundary_strengths

Piece = tuple[int, int, float]
"""A segment [start, end) and its reward in [0, 1)."""


def tree_search(
    units: Units,
    host: Host,
    suspicion: npt.NDArray[np.float64],
    lexicon: Sequence[str],
    budget: Budget,
    share: int,
    options: SearchOptions,
    generator: np.random.Generator,
) -> Search[list[Piece]]:
    """Monte Carlo tree search for the segments whose mutation changes the prediction.

    Args:
        units: The n units of the text, n >= 1.
        host: What the text is read inside of; an empty host is the text alone.
        suspicion: Rarity of each unit in [0, 1], shape (n,).
        lexicon: Units for insertions and substitutions.
        budget: Counts the evaluations.
        share: Most evaluations the search may use.
        options: The search options.
        generator: Source of the mutations.

    Returns:
        The finest segments that mattered, the most rewarding first.
    """
    original = (yield from budget.evaluate([host.receive(units)]))[0]
    tree = SegmentTree(suspicion, boundary_strengths(units), options)
    stop = budget.spent + min(share, budget.left)
    while budget.spent < stop:
        paths: list[list[Segment]] = []
        while len(paths) < min(options.leaves, stop - budget.spent) and (path := tree.select()) is not None:
            paths.append(path)
        if not paths:
            break
        mutated = []
        for path in paths:
            leaf = path[-1]
            if leaf.started == 1:
                mutation = delete_segment(units, leaf.start, leaf.end, options.max_edits)
            else:
                mutation = mutate_segment(units, leaf.start, leaf.end, options.max_edits, lexicon, generator)
            mutated.append(host.receive(mutation))
        rows = yield from budget.evaluate(mutated)
        for path, row in zip(paths, rows, strict=True):
            tree.backpropagate(path, bounded(kl_divergence(row, original)))
    return [(piece.start, piece.end, piece.reward) for piece in tree.pieces()]


def greedy_search(
    units: Units, host: Host, budget: Budget, share: int, options: SearchOptions
) -> Search[list[Piece]]:
    """Leave each unit out once, left to right as far as the share reaches: the usual greedy ranking."""
    original = (yield from budget.evaluate([host.receive(units)]))[0]
    count = min(len(units), share, budget.left)
    texts = [delete_segment(units, index, index + 1, options.max_edits) for index in range(count)]
    rows = yield from budget.evaluate([host.receive(text) for text in texts])
    pieces = [(at, at + 1, bounded(kl_divergence(row, original))) for at, row in enumerate(rows)]
    return sorted((piece for piece in pieces if piece[2] >= options.floor), key=lambda piece: -piece[2])


def random_search(
    units: Units,
    host: Host,
    budget: Budget,
    share: int,
    options: SearchOptions,
    generator: np.random.Generator,
) -> Search[list[Piece]]:
    """Delete random segments of random lengths; those that mattered, the most rewarding first."""
    original = (yield from budget.evaluate([host.receive(units)]))[0]
    segments = []
    for _ in range(min(share, budget.left)):
        size = int(generator.integers(1, min(len(units), options.max_edits) + 1))
        start = int(generator.integers(0, len(units) - size + 1))
        segments.append((start, start + size))
    rows = yield from budget.evaluate(
        [host.receive(delete_segment(units, start, end, options.max_edits)) for start, end in segments]
    )
    pieces = [
        (start, end, bounded(kl_divergence(row, original)))
        for (start, end), row in zip(segments, rows, strict=True)
    ]
    kept = [piece for piece in dict.fromkeys(pieces) if piece[2] >= options.floor]
    return sorted(kept, key=lambda piece: (-piece[2], piece[1] - piece[0]))


def carrying_part(units: Units, host: Host, label: int, budget: Budget) -> Search[tuple[int, int]]:
    """Halve the text as long as one half alone still carries the label into the host.

    Deleting a trigger shows nothing while a second trigger, or a second copy, is left; but then each of them
    is enough on its own.

    Returns:
        The segment [start, end) that is left; the whole text where neither half carries the label.
    """
    start, end = 0, len(units)
    while end - start > 1 and budget.left >= 2:
        middle = (start + end) // 2
        halves = [(start, middle), (middle, end)]
        rows = yield from budget.evaluate([host.receive(units[one:two]) for one, two in halves])
        best = max(range(2), key=lambda half: rows[half][label])
        if int(rows[best].argmax()) != label:
            break
        start, end = halves[best]
    return start, end
