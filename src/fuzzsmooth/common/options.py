"""Options: frozen dataclasses that validate themselves and reject unknown keys."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from fuzzsmooth.common.errors import FuzzsmoothError

OptionsT = TypeVar("OptionsT", bound="Options")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Base of every options class: subclasses are frozen, keyword-only dataclasses.

    Types and ``Literal`` choices are checked on construction; a subclass checks ranges in
    :meth:`validate` with :func:`require`.
    """

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            _check_type(type(self).__name__, field.name, getattr(self, field.name), hints[field.name])
        self.validate()

    def validate(self) -> None:
        """Check ranges and combinations; raise :class:`FuzzsmoothError` with :func:`require`."""

    @classmethod
    def from_mapping(cls: type[OptionsT], mapping: Mapping[str, Any], *, where: str = "options") -> OptionsT:
        """Build the options from a mapping (a parsed JSON or TOML file), nested options included.

        Args:
            mapping: Names to values.
            where: What the mapping came from, for the error.

        Raises:
            FuzzsmoothError: On an unknown name (the nearest known one is suggested) or a bad value.
        """
        hints = typing.get_type_hints(cls)
        known = [field.name for field in dataclasses.fields(cls)]
        values: dict[str, Any] = {}
        for name, value in mapping.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"
                raise FuzzsmoothError(f"{where}: unknown option '{name}'; {hint}")
            hint_type = hints[name]
            if isinstance(hint_type, type) and issubclass(hint_type, Options) and isinstance(value, Mapping):
                value = hint_type.from_mapping(value, where=f"{where}.{name}")
            elif get_origin(hint_type) is tuple and isinstance(value, list):
                value = tuple(value)
            values[name] = value
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """The options as plain JSON-serializable values, the inverse of :meth:`from_mapping`."""
        return dataclasses.asdict(self)

    def replace(self: OptionsT, **changes: Any) -> OptionsT:
        """A copy with some options changed, validated again."""
        return dataclasses.replace(self, **changes)


def require(condition: bool, message: str) -> None:
    """Raise :class:`FuzzsmoothError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise FuzzsmoothError(message)


def _check_type(owner: str, name: str, value: object, hint: Any) -> None:
    """Check ``value`` against the simple hints options use: scalars, unions, Literal, tuple, Options."""
    if not _matches(value, hint):
        if get_origin(hint) is Literal:
            choices = ", ".join(repr(choice) for choice in get_args(hint))
            raise FuzzsmoothError(f"{owner}.{name}: {value!r} is not one of {choices}")
        shown = getattr(hint, "__name__", str(hint))
        raise FuzzsmoothError(f"{owner}.{name}: expected {shown}, got {value!r}")


def _matches(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return value in get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_matches(value, option) for option in get_args(hint))
    if origin is tuple:
        item = get_args(hint)[0]
        return isinstance(value, tuple) and all(_matches(part, item) for part in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True
