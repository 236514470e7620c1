"""Values of records that were written and are read again: of the right type, in range, or a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import kind_of

T = TypeVar("T")

_LARGEST: Final = 2**63 - 1  # of a whole number; sums of these still fit a float
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,99}")


def parse_fields(
    value: object, parsers: Mapping[str, Callable[[Any], Any]], where: str, *, beside: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The fields of an object, each by its parser.

    Args:
        value: What should be an object with exactly these fields.
        parsers: A parser for each field.
        where: What the object is, for the sentence.
        beside: Fields that must be there too and are not parsed.

    Raises:
        FuzzsmoothError: Naming what is unknown, missing or wrong.
    """
    if not isinstance(value, Mapping):
        raise FuzzsmoothError(f"{where}: expected an object, got {kind_of(value)}")
    known = [*beside, *parsers]
    unknown = [short_name(str(name)) for name in value if name not in known]
    missing = [name for name in known if name not in value]
    require(not unknown, f"{where}: unknown field {', '.join(unknown[:5])}; known: {', '.join(known)}")
    require(not missing, f"{where}: missing field {', '.join(missing)}")
    parsed = {}
    for name, parse in parsers.items():
        try:
            parsed[name] = parse(value[name])
        except FuzzsmoothError as error:
            raise FuzzsmoothError(f"{where}: '{name}' is wrong: {error}") from error
    return parsed


def integer(value: object) -> int:
    """A whole number that fits 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise FuzzsmoothError(f"expected a whole number, got {kind_of(value)}")
    require(abs(value) <= _LARGEST, "the number is too large")
    return value


def number(value: object) -> float:
    """A finite number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(integer(value))
    if not isinstance(value, float):
        raise FuzzsmoothError(f"expected a number, got {kind_of(value)}")
    require(math.isfinite(value), "the number must be finite")
    return value


def string(value: object) -> str:
    """A text."""
    if not isinstance(value, str):
        raise FuzzsmoothError(f"expected a text, got {kind_of(value)}")
    return value


def name(value: object) -> str:
    """A plain name, which may become part of a file's."""
    text = string(value)
    require(bool(_NAME.fullmatch(text)), f"'{short_name(text, 40)}' is not a plain name")
    return text


def optional(parse: Callable[[object], T]) -> Callable[[object], T | None]:
    """The parser for a value that may be null."""
    return lambda value: None if value is None else parse(value)


def several(parse: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """The parser for a list."""

    def parse_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise FuzzsmoothError(f"expected a list, got {kind_of(value)}")
        return tuple(map(parse, value))

    return parse_all


def by_name(parse: Callable[[object], T]) -> Callable[[object], dict[str, T]]:
    """The parser for an object of plain names to values of one kind."""

    def parse_all(value: object) -> dict[str, T]:
        if not isinstance(value, Mapping):
            raise FuzzsmoothError(f"expected an object, got {kind_of(value)}")
        return {name(key): parse(inner) for key, inner in value.items()}

    return parse_all
