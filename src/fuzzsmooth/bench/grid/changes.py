"""How far two texts are apart in the units of the threats, to look certificates up in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Units = Sequence[str]


def inserted(before: Units, after: Units) -> int | None:
    """How many units were inserted, if nothing else was changed."""
    left = iter(after)
    return len(after) - len(before) if all(unit in left for unit in before) else None


def deleted(before: Units, after: Units) -> int | None:
    """How many units were deleted, if nothing else was changed."""
    return inserted(after, before)


def substituted(before: Units, after: Units) -> int | None:
    """How many units were replaced by as many others."""
    if len(before) != len(after):
        return None
    return sum(one != other for one, other in zip(before, after, strict=True))


def edits(before: Units, after: Units) -> int:
    """Unrestricted Damerau-Levenshtein distance (Lowrance and Wagner, Journal of the ACM 22, 1975)."""
    start, end = _common(before, after)
    one, other = before[start : len(before) - end], after[start : len(after) - end]
    width, most = len(other) + 2, len(one) + len(other)
    table = [[most] * width for _ in range(len(one) + 2)]
    for row in range(len(one) + 1):
        table[row + 1][1] = row
    for column in range(len(other) + 1):
        table[1][column + 1] = column
    last_row: dict[str, int] = {}
    for row, unit in enumerate(one, 1):
        last_column = 0
        for column, match in enumerate(other, 1):
            above, beside = last_row.get(match, 0), last_column
            if unit == match:
                last_column = column
            table[row + 1][column + 1] = min(
                table[row][column] + (unit != match),
                table[row + 1][column] + 1,
                table[row][column + 1] + 1,
                # what stands between two units that change places is deleted and inserted
                table[above][beside] + (row - above - 1) + 1 + (column - beside - 1),
            )
        last_row[unit] = row
    return table[-1][-1]


def piece_inserted(before: Units, after: Units) -> int | None:
    """Length of the one contiguous piece that was inserted."""
    start, end = _common(before, after)
    return len(after) - len(before) if start + end == len(before) else None


def piece_replaced(before: Units, after: Units) -> int | None:
    """Length of the one contiguous piece that was replaced by one as long."""
    start, end = _common(before, after)
    return len(before) - start - end if len(before) == len(after) else None


def piece_edited(before: Units, after: Units) -> int:
    """Length of the longer of one contiguous piece and of what it was replaced by."""
    start, end = _common(before, after)
    return max(len(before), len(after)) - start - end


DISTANCES: Mapping[str, Callable[[Units, Units], int | None]] = {
    "edit": edits,
    "insert": inserted,
    "delete": deleted,
    "substitute": substituted,
    "trigger": inserted,
    "contiguous_insert": piece_inserted,
    "contiguous_replace": piece_replaced,
    "contiguous_edit": piece_edited,
}
"""By threat, the size of the change that leads from one text to another; None where the threat does not."""


def _common(one: Units, other: Units) -> tuple[int, int]:
    """Lengths of the common start and of the common end, which do not overlap."""
    most = min(len(one), len(other))
    start = next((at for at in range(most) if one[at] != other[at]), most)
    end = next((at for at in range(most - start) if one[-1 - at] != other[-1 - at]), most - start)
    return start, end
