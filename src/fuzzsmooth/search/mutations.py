"""Mutations of one segment of a text, within an edit bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzsmooth.search.protocol import Units

_EDITS = ("insert", "delete", "substitute", "transpose")


def delete_segment(units: Units, start: int, end: int, max_edits: int) -> Units:
    """Delete the segment [start, end); for a single unit, all its occurrences.

    A trigger may be planted several times, and one copy is enough for it to act: deleting them together
    shows its effect. At most ``max_edits`` units are deleted, evenly spread over the segment.
    """
    positions = np.arange(start, end)
    if end - start == 1:
        twins = [index for index, unit in enumerate(units) if unit == units[start] and index != start]
        positions = np.array([start, *twins])[:max_edits]
    if len(positions) > max_edits:
        positions = positions[np.linspace(0, len(positions) - 1, max_edits).astype(int)]
    dropped = set(positions.tolist())
    return tuple(unit for index, unit in enumerate(units) if index not in dropped)


def mutate_segment(
    units: Units,
    start: int,
    end: int,
    max_edits: int,
    lexicon: Sequence[str],
    generator: np.random.Generator,
) -> Units:
    """Apply a random number of random edits inside the segment [start, end).

    Insertions, deletions, substitutions and adjacent transpositions are equally likely; the result is
    within Damerau-Levenshtein distance ``max_edits`` of ``units``, because each edit adds at most 1.

    Args:
        units: The n units of the text.
        start: First unit of the segment.
        end: One past its last unit; ``start < end <= n``.
        max_edits: Lambda, the most edits.
        lexicon: Where inserted and substituted units are drawn from; not empty.
        generator: Source of all choices.
    """
    mutated, stop = units, end
    for _ in range(int(generator.integers(1, min(max_edits, end - start) + 1))):
        kinds = [kind for kind in _EDITS if kind == "insert" or stop > start + (kind == "transpose")]
        kind = kinds[int(generator.integers(len(kinds)))]
        last = {"insert": stop, "transpose": stop - 2}.get(kind, stop - 1)
        position = int(generator.integers(start, last + 1))
        replaced = mutated[position : position + {"insert": 0, "transpose": 2}.get(kind, 1)]
        new = {"delete": (), "transpose": replaced[::-1]}.get(kind)
        if new is None:
            new = (lexicon[int(generator.integers(len(lexicon)))],)
        mutated = (*mutated[:position], *new, *mutated[position + len(replaced) :])
        stop += len(new) - len(replaced)
    return mutated
