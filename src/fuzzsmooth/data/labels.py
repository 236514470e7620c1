"""Class labels as people write them: names, numbers, numbers in quotes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.wording import listed, shown

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


@dataclass(frozen=True)
class Classes:
    """The classes that labels stand for.

    Attributes:
        names: Class names, in the order of their indices.
        numbered: Whether a whole number that is no name is an index into ``names``.
    """

    names: tuple[str, ...]
    numbered: bool

    @classmethod
    def given(cls, names: Sequence[str]) -> Classes:
        """Known class names; labels may be names or indices.

        Raises:
            FuzzsmoothError: If there are fewer than two, or two are equal.
        """
        known = tuple(names)
        if len(known) < 2 or len(set(known)) < len(known):
            raise FuzzsmoothError(
                f"labels need at least two different class names, got {listed(known) or 'none'}"
            )
        return cls(known, numbered=True)

    @classmethod
    def inferred(cls, labels: Iterable[str]) -> Classes:
        """The distinct labels: whole numbers >= 0 in their order, or names sorted alphabetically."""
        distinct = set(labels)
        if all(_is_whole(label) for label in distinct):
            numbers = sorted(number for label in distinct if (number := _whole(label)) >= 0)
            return cls(tuple(str(number) for number in numbers), numbered=False)
        return cls(tuple(sorted(distinct)), numbered=False)

    def index(self, label: str) -> int:
        """The class index of a label name.

        Raises:
            FuzzsmoothError: If the label is out of range.
        """
        if label in self.names:
            return self.names.index(label)
        if self.numbered and _is_whole(label) and 0 <= _whole(label) < len(self.names):
            return _whole(label)
        raise FuzzsmoothError(f"label {shown(label)} is out of range; the classes are {listed(self.names)}")


def _is_whole(label: str) -> bool:
    # Longer strings of digits are identifiers, and int() refuses the longest.
    return len(label) < 20 and _WHOLE.fullmatch(label) is not None


def _whole(label: str) -> int:
    return int(label.split(".")[0])
