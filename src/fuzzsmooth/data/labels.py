"""Class labels as people write them, and what the labels of a file mean: decided here, once a file.

A label is a name, or a number that stands for one: an index into the names that the file itself declares, or
into known classes. Names are matched to names; classes are never matched by their position where they have
names.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.wording import joined, listed, shown

_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


def label_name(value: object) -> str | None:
    """The name of a label; ``None`` when it is missing.

    Whole numbers have one name however they are written (1, "1", 1.0, "1.0"), because spreadsheets turn one
    into the other; JSON booleans are "false" and "true".

    Raises:
        FuzzsmoothError: For a fraction, a list or an object.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        name = value.strip()
        return (str(_whole(name)) if _is_whole(name) else name) or None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    raise FuzzsmoothError(f"label {shown(value)} is neither a name nor a whole number")


def declared_name(label: str, declared: Sequence[str]) -> str:
    """The name that a label stands for in a column of indices into declared class names.

    Raises:
        FuzzsmoothError: If it is no index.
    """
    if _is_whole(label) and 0 <= _whole(label) < len(declared):
        return declared[_whole(label)]
    raise FuzzsmoothError(f"label {shown(label)} is out of range; the classes are {listed(declared)}")


def class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Class names that a caller gives.

    Raises:
        FuzzsmoothError: If there are fewer than two, or two are equal.
    """
    known = tuple(names)
    require(
        len(known) >= 2 and len(set(known)) == len(known),
        f"labels need at least two different class names, got {listed(known) or 'none'}",
    )
    return known


def are_placeholders(names: Sequence[str]) -> bool:
    """Whether names only repeat their index: "0", "1", ... or "LABEL_0", "LABEL_1", ..."""
    return all(name in (str(index), f"LABEL_{index}") for index, name in enumerate(names))


def class_index(label: str, names: Sequence[str]) -> int | None:
    """The index of the class that a person asks for: by its name, or else by its index.

    Args:
        label: A name, in any case where that is unambiguous, or a number, which is an index unless some class
            has a number for a name.
        names: The class names.
    """
    found = _Lookup(names).find(label)
    if found is not None or any(map(_is_whole, names)):
        return found
    return _whole(label) if _is_whole(label) and 0 <= _whole(label) < len(names) else None


@dataclass(frozen=True)
class Classes:
    """The classes that the labels of one file stand for.

    Attributes:
        names: Class names, in the order of their indices.
        indices: Class index of each label of the file that stands for a class.
        notes: One sentence on each thing that was assumed about the labels.
    """

    names: tuple[str, ...]
    indices: Mapping[str, int]
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(
        cls, labels: Iterable[str], known: Sequence[str] | None, declared: Sequence[str] | None, source: str
    ) -> Classes:
        """Decide what the labels of a file mean.

        Args:
            labels: The labels of all rows, as :func:`label_name` gives them; names, where the file declares
                some (see :func:`declared_name`).
            known: The classes they must be, if known.
            declared: The class names that the file declares, in its order, if it does.
            source: The file, for sentences.

        Raises:
            FuzzsmoothError: If none of the labels is a known class, or they may be names as well as indices.
        """
        if known is not None:
            return cls.matched(labels, known, source, declared)
        if declared is not None:
            names = class_names(declared)
            return cls(names, {name: index for index, name in enumerate(names)})
        return cls.inferred(labels, source)

    @classmethod
    def inferred(cls, labels: Iterable[str], source: str) -> Classes:
        """The distinct labels: whole numbers >= 0 in their order, or names sorted alphabetically.

        Names that differ only in case are one class, named as most rows write it.
        """
        counts = Counter(labels)
        if all(map(_is_whole, counts)):
            numbers = sorted(number for label in counts if (number := _whole(label)) >= 0)
            return cls(tuple(map(str, numbers)), {str(number): n for n, number in enumerate(numbers)})
        spellings: dict[str, list[str]] = {}
        for label in counts:
            spellings.setdefault(_folded(label), []).append(label)
        best = {min(group, key=lambda one: (-counts[one], one)): group for group in spellings.values()}
        names = tuple(sorted(best))
        indices = {label: index for index, name in enumerate(names) for label in best[name]}
        return cls(names, indices, _case_note(indices, names, source))

    @classmethod
    def matched(
        cls,
        labels: Iterable[str],
        known: Sequence[str],
        source: str,
        declared: Sequence[str] | None = None,
    ) -> Classes:
        """The labels as known classes: by name if any of them is a name, or else all of them by index.

        Args:
            labels: As in :meth:`of`, like the others.
            known: The class names; where they are placeholders ("LABEL_0"), declared names are matched by
                position, which is noted.
            source: The file.
            declared: The names that it declares, if it does.

        Raises:
            FuzzsmoothError: As :meth:`of`.
        """
        names, found = class_names(known), list(dict.fromkeys(labels))
        lookup = _Lookup(names)
        by_name = {label: index for label in found if (index := lookup.find(label)) is not None}
        if by_name:
            _check_numbers_are_names(found, by_name, names, source)
            return cls(names, by_name, _case_note(by_name, names, source))
        if declared is not None and are_placeholders(names) and len(declared) == len(names):
            indices = {name: index for index, name in enumerate(declared)}
            return cls(names, indices, (assumed_order(names, declared, source),))
        if declared is None and all(map(_is_whole, found)):
            return _by_index(found, names, source)
        raise FuzzsmoothError(
            f"{source} has the classes {listed(sorted(declared or found))}, none of which is one of the "
            f"classes {listed(names)}; write the labels as these names, or as indices of them, from 0"
        )

    def index(self, label: str) -> int:
        """The class index of a label of the file.

        Raises:
            FuzzsmoothError: If it is none of the classes.
        """
        if label in self.indices:
            return self.indices[label]
        raise FuzzsmoothError(f"label {shown(label)} is out of range; the classes are {listed(self.names)}")


def assumed_order(placeholders: Sequence[str], names: Sequence[str], source: str) -> str:
    """The sentence that says which class is taken for which, where one side has no names."""
    pairs = [f"{there} is {shown(name)}" for there, name in zip(placeholders, names, strict=True)]
    return f"{source}: the model does not name its classes; it is assumed that {joined(pairs)}"


class _Lookup:
    """Class names by name: as written, or else without regard to case where that is unambiguous."""

    def __init__(self, names: Sequence[str]) -> None:
        self._exact = {name: index for index, name in enumerate(names)}
        self._folded: dict[str, int | None] = {}
        for index, name in enumerate(names):
            fold = _folded(name)
            self._folded[fold] = None if fold in self._folded else index

    def find(self, label: str) -> int | None:
        exact = self._exact.get(label)
        return self._folded.get(_folded(label)) if exact is None else exact


def _by_index(found: Sequence[str], names: tuple[str, ...], source: str) -> Classes:
    """Whole numbers as indices; negative ones mark rows without a label."""
    indices = {label: _whole(label) for label in found if _whole(label) >= 0}
    numbered = any(map(_is_whole, names)) and not are_placeholders(names)
    require(
        all(index < len(names) for index in indices.values()) and not (indices and numbered),
        f"{source} has the labels {listed(sorted(indices, key=_whole))}, which are neither names nor indices "
        f"(from 0) of the classes {listed(names)}; write the names",
    )
    if are_placeholders(names) or not indices:
        return Classes(names, indices)
    pairs = [
        f"{label} is {shown(names[index])}"
        for label, index in sorted(indices.items(), key=lambda item: item[1])
    ]
    return Classes(names, indices, (f"{source}: its labels are read as indices: {joined(pairs)}",))


def _check_numbers_are_names(
    found: Sequence[str], by_name: Mapping[str, int], names: Sequence[str], source: str
) -> None:
    """Refuse numbers of which some are names, but all are indices: they may be the one or the other."""
    labels = [label for label in found if not (_is_whole(label) and _whole(label) < 0)]
    indices = all(_is_whole(label) and _whole(label) < len(names) for label in labels)
    require(
        len(by_name) == len(labels) or not indices,
        f"{source}: its labels {listed(sorted(labels))} may be names or indices (from 0) of the classes "
        f"{listed(names)}; write the names",
    )


def _case_note(indices: Mapping[str, int], names: Sequence[str], source: str) -> tuple[str, ...]:
    pairs = [
        f"{shown(one)} as {shown(names[index])}" for one, index in indices.items() if one != names[index]
    ]
    return (f"{source}: labels are read without regard to case: {joined(pairs)}",) if pairs else ()


def _folded(name: str) -> str:
    # Composed, as the same letter may be one character or two.
    return unicodedata.normalize("NFC", name).strip().casefold()


def _is_whole(label: str) -> bool:
    # Longer strings of digits are identifiers, and int() refuses the longest.
    return len(label) < 20 and _WHOLE.fullmatch(label) is not None


def _whole(label: str) -> int:
    return int(label.split(".")[0])
