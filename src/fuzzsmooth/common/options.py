"""Options: frozen dataclasses that validate themselves and reject unknown keys.

An option is written once, ``rate: Annotated[float, Between(0, 1), "Deletion rate."] = 0.7``: what checks it,
the keys of a file, the flags of a command, its help and the reference pages are derived from that. Pydantic
and annotated-types were considered: neither gives the sentences of errors, nested tables and flags that
are wanted here for less code than this file, and a model's import would cost every command 0.1 s.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from fuzzsmooth.common.errors import FuzzsmoothError

OptionsT = TypeVar("OptionsT", bound="Options")

_LARGE = 10**20
_LONGEST = 100  # characters of a value in a sentence


SEEDS = 2**64 - 1
"""The largest seed."""


class Between(NamedTuple):
    """The range of a number, or of each number of a list.

    Attributes:
        low: The lowest value.
        high: The highest; every size has one, so that a slip of the finger is a sentence and no endless run.
        above: Whether ``low`` itself is left out.
        below: Whether ``high`` itself is left out.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float):
            return False
        low = self.low < value if self.above else self.low <= value
        return low and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        """As in "must <lie between 1 and 10>"."""
        if self.above == self.below:
            return f"lie {'strictly ' * self.above}between {self.low:,} and {self.high:,}"
        low = f"above {self.low:,}" if self.above else f"at least {self.low:,}"
        high = f"below {self.high:,}" if self.below else f"at most {self.high:,}"
        return f"be {low} and {high}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Base of every options class: subclasses are frozen, keyword-only dataclasses.

    Types, ``Literal`` choices and ranges (:class:`Between`) are checked on construction; a subclass checks
    combinations in :meth:`validate` with :func:`require`.
    """

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for option in described(type(self)):
            value = getattr(self, option.name)
            _check_type(owner, option.name, value, option.type)
            if option.between is not None:
                _check_range(f"{owner}.{option.name}", value, option.between)
        self.validate()

    def validate(self) -> None:
        """Check combinations; raise :class:`FuzzsmoothError` with :func:`require`."""

    @classmethod
    def from_mapping(cls: type[OptionsT], mapping: Mapping[str, Any], *, where: str = "options") -> OptionsT:
        """Build the options from a mapping (a parsed JSON or TOML file), nested options included.

        Args:
            mapping: Names to values.
            where: What the mapping came from, for the error.

        Raises:
            FuzzsmoothError: On an unknown name (the nearest known one is suggested) or a bad value.
        """
        if not isinstance(mapping, Mapping):
            raise FuzzsmoothError(f"{where}: expected names with values, got {_shown(mapping)}")
        hints = {option.name: option.type for option in described(cls)}
        values: dict[str, Any] = {}
        for name, value in mapping.items():
            if name not in hints:
                raise FuzzsmoothError(f"{where}: unknown option '{name}'; {did_you_mean(str(name), hints)}")
            hint_type = hints[name]
            if isinstance(hint_type, type) and issubclass(hint_type, Options) and isinstance(value, Mapping):
                value = hint_type.from_mapping(value, where=f"{where}.{name}")
            elif get_origin(hint_type) is tuple and isinstance(value, list):
                value = tuple(value)
            values[name] = value
        return cls(**values)

    @classmethod
    def of(cls: type[OptionsT], given: OptionsT | Mapping[str, Any]) -> OptionsT:
        """Options as they are, or built from a mapping of their names to values.

        Raises:
            FuzzsmoothError: If it is neither, or as :meth:`from_mapping` does.
        """
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            name = cls.__name__
            raise FuzzsmoothError(
                f"options must be {name}(...) or a mapping of their names to values, got {_shown(given)}"
            )
        return cls.from_mapping(given)

    def to_mapping(self) -> dict[str, Any]:
        """The options as plain JSON-serializable values, the inverse of :meth:`from_mapping`."""
        return dataclasses.asdict(self)

    def replace(self: OptionsT, **changes: Any) -> OptionsT:
        """A copy with some options changed, validated again."""
        return dataclasses.replace(self, **changes)


class Option(NamedTuple):
    """One option of a class, as it is written there.

    Attributes:
        name: Its name.
        type: Its type, without annotations.
        default: Its default value.
        between: The range of the number, or None.
        help: What it does.
    """

    name: str
    type: Any
    default: Any
    between: Between | None
    help: str


def described(kind: type[Options]) -> tuple[Option, ...]:
    """The options of a class, in order."""
    if kind not in _DESCRIBED:
        _DESCRIBED[kind] = tuple(_describe(kind))
    return _DESCRIBED[kind]


_DESCRIBED: dict[type[Options], tuple[Option, ...]] = {}


def _describe(kind: type[Options]) -> Iterator[Option]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        hint, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        between = next((extra for extra in extras if isinstance(extra, Between)), None)
        told = next((extra for extra in extras if isinstance(extra, str)), "")
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        yield Option(field.name, hint, default, between, told)


def overruled(base: Mapping[str, Any], flags: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Names with values, where others are given.

    Args:
        base: Such as those of a file.
        flags: What overrules them, nested options as mappings.
        where: What ``base`` came from, for the error.

    Raises:
        FuzzsmoothError: If the base has another value where options are nested.
    """
    merged = dict(base)
    for name, value in flags.items():
        if isinstance(value, Mapping):
            inner = merged.get(name, {})
            if not isinstance(inner, Mapping):
                raise FuzzsmoothError(f"{where}: '{name}' must be a table of options, got {inner!r}")
            value = overruled(inner, value, where)
        merged[name] = value
    return merged


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest known one, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(names))}"


def require(condition: bool, message: str) -> None:
    """Raise :class:`FuzzsmoothError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise FuzzsmoothError(message)


def _check_type(owner: str, name: str, value: object, hint: Any) -> None:
    """Check ``value`` against the simple hints options use: scalars, unions, Literal, tuple, Options."""
    if not _matches(value, hint):
        if get_origin(hint) is Literal:
            choices = ", ".join(repr(choice) for choice in get_args(hint))
            raise FuzzsmoothError(f"{owner}.{name}: {_shown(value)} is not one of {choices}")
        raise FuzzsmoothError(f"{owner}.{name}: expected {_wanted(hint)}, got {_shown(value)}")
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, str) and any("\ud800" <= one <= "\udfff" for one in part):
            raise FuzzsmoothError(f"{owner}.{name}: {_shown(part)} is not valid Unicode text")


def _check_range(name: str, value: object, between: Between) -> None:
    for number in value if isinstance(value, tuple) else (value,):
        if number is not None and number not in between:
            raise FuzzsmoothError(f"{name} must {between}, got {_shown(number)}")


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
    if origin is dict:
        return isinstance(value, dict) and all(isinstance(key, str) for key in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


_WORDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "truth values"),
    str: ("a text", "texts"),
}


def _wanted(hint: Any) -> str:
    """What a hint asks for, in words that fit a file as well as a call."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        wanted = [_wanted(option) for option in get_args(hint) if option is not types.NoneType]
        return f"{' or '.join(wanted)}, or no such option"
    if get_origin(hint) is tuple:
        return f"a list of {_WORDS.get(get_args(hint)[0], ('', 'values'))[1]}"
    if hint in _WORDS:
        return _WORDS[hint][0]
    return "a table of options"


def _shown(value: object) -> str:
    """A value for a sentence: in the words of a file, and cut."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, int) and abs(value) >= _LARGE:
        return "a number of more than 20 digits"  # Python refuses to write out a very long one
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
