"""Families of deletions for the deterministic two-round ablation: which units are left out, by text length.

A deletion is a mask whose bit i says that unit i is left out. A family maps the length of the RECEIVED text
to its deletions and must depend on nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from fuzzsmooth.common.options import require


@dataclass(frozen=True)
class Family:
    """The deletions of an ablation procedure.

    Attributes:
        masks: From the number of units of a text to its deletion masks; distinct, in a fixed order, the
            smallest first.
        count: From the number of units to the number of masks, without making them.
    """

    masks: Callable[[int], Sequence[int]]
    count: Callable[[int], int]

    def __call__(self, length: int) -> Sequence[int]:
        """The deletion masks for a text of ``length`` units."""
        return self.masks(length)


def block(start: int, stop: int) -> int:
    """The mask of units start..stop-1."""
    return ((1 << (stop - start)) - 1) << start


def contiguous(lengths: Sequence[int], *, stride: int = 1) -> Family:
    """All contiguous windows of the given lengths.

    Args:
        lengths: Window lengths >= 0, at least one; a window longer than the text is the whole text.
        stride: Distance between starts, >= 1; the last window always ends with the text.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    require(len(lengths) > 0 and min(lengths) >= 0, "window lengths must be given and be at least 0")
    require(stride >= 1, f"the stride must be at least 1, got {stride}")
    distinct = sorted(set(lengths))

    def family(length: int) -> list[int]:
        masks: dict[int, None] = {}
        for size in distinct:
            last = max(0, length - size)
            starts = [0] if size == 0 else [*range(0, last, stride), last]
            masks.update((block(start, min(start + size, length)), None) for start in starts)
        return list(masks)

    def count(length: int) -> int:
        gone = {min(size, length) for size in distinct}
        return sum(1 if size in (0, length) else len({*range(0, length - size, stride)}) + 1 for size in gone)

    return Family(family, count)


def contiguous_up_to(longest: int) -> Family:
    """All contiguous windows of length 0..longest (ELDD): 1 + m n - m (m - 1) / 2 for n >= m."""
    require(longest >= 1, f"the longest trigger must be at least 1 unit, got {longest}")
    return contiguous(range(longest + 1))


def scattered(most: int) -> Family:
    """All sets of at most ``most`` units, fewest first: sum of C(n, q)."""
    require(most >= 1, f"at least one scattered unit must be covered, got {most}")

    return Family(
        lambda length: list(subsets(length, range(min(most, length) + 1))),
        lambda length: sum(math.comb(length, size) for size in range(min(most, length) + 1)),
    )


def subsets(length: int, sizes: Sequence[int]) -> Iterator[int]:
    """The masks of all sets of units of these sizes, in their order."""
    return (
        sum(1 << unit for unit in chosen) for size in sizes for chosen in combinations(range(length), size)
    )
