"""Edits of one unit: the operations whose shortest sequence is the Damerau-Levenshtein distance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from fuzzsmooth.common.errors import FuzzsmoothError

EditKind = Literal["insert", "delete", "substitute", "transpose"]
EDIT_KINDS: tuple[EditKind, ...] = get_args(EditKind)


@dataclass(frozen=True)
class Edit:
    """One edit of a sequence of n units.

    Attributes:
        kind: "insert" puts ``unit`` before ``position`` (0 to n); "delete" removes and "substitute" replaces
            the unit at ``position`` (0 to n-1); "transpose" swaps it with the next one (0 to n-2).
        position: Where, counted in units of the sequence as it is when the edit is applied.
        unit: The new unit of an insertion or substitution, else None.

    Raises:
        FuzzsmoothError: If ``unit`` is missing or given without need, or ``position`` is negative.
    """

    kind: EditKind
    position: int
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in EDIT_KINDS:
            raise FuzzsmoothError(f"edit kind {self.kind!r} is not one of {', '.join(EDIT_KINDS)}")
        if self.position < 0:
            raise FuzzsmoothError(f"{self.kind} at position {self.position}: positions start at 0")
        if (self.unit is not None) != (self.kind in ("insert", "substitute")):
            need = "takes no unit" if self.unit is not None else "needs a unit"
            raise FuzzsmoothError(f"an edit of kind {self.kind} {need}")


def apply_edit(units: tuple[str, ...], edit: Edit) -> tuple[str, ...]:
    """The units after one edit.

    Raises:
        FuzzsmoothError: If the position lies outside the sequence.
    """
    at = edit.position
    if at > len(units) - _reach(edit.kind):
        raise FuzzsmoothError(f"{edit.kind} at position {at} is outside a sequence of {len(units)} units")
    if edit.kind == "delete":
        return units[:at] + units[at + 1 :]
    if edit.kind == "transpose":
        return (*units[:at], units[at + 1], units[at], *units[at + 2 :])
    new = () if edit.unit is None else (edit.unit,)
    return units[:at] + new + units[at + (edit.kind == "substitute") :]


def apply_edits(units: tuple[str, ...], edits: Iterable[Edit]) -> tuple[str, ...]:
    """The units after edits applied one after the other, each to the result of those before."""
    for edit in edits:
        units = apply_edit(units, edit)
    return units


def neighbors(
    units: tuple[str, ...], vocabulary: Iterable[str], kinds: Collection[EditKind] = EDIT_KINDS
) -> Iterator[tuple[str, ...]]:
    """All sequences exactly one edit away, each once, never the sequence itself.

    Args:
        units: The sequence.
        vocabulary: The units an insertion or substitution may bring.
        kinds: The edits allowed; all four make the sphere of Damerau-Levenshtein radius 1.
    """
    seen = {units}
    for edit in _edits(len(units), tuple(dict.fromkeys(vocabulary)), kinds):
        neighbor = apply_edit(units, edit)
        if neighbor not in seen:
            seen.add(neighbor)
            yield neighbor


def _edits(length: int, vocabulary: tuple[str, ...], kinds: Collection[EditKind]) -> Iterator[Edit]:
    for kind in kinds:
        new: tuple[str | None, ...] = vocabulary if kind in ("insert", "substitute") else (None,)
        for position in range(length - _reach(kind) + 1):
            for unit in new:
                yield Edit(kind, position, unit)


def _reach(kind: EditKind) -> int:
    """How many existing units the edit touches, from its position on."""
    return {"insert": 0, "delete": 1, "substitute": 1, "transpose": 2}[kind]
