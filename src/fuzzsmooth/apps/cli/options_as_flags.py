"""What an options class says, as flags: each option with its type, its text and its default."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from fuzzsmooth.common.options import Options, described


@dataclass(frozen=True)
class Flag:
    """A flag for an option.

    Attributes:
        group: Which options it belongs to.
        path: The option's name, after those of the options it is nested in.
        type: Its type.
        help: What it does.
        default: Its default in words; empty for none.
        panel: Where ``--help`` shows it.
        paths: Who has the option, and where, if it is one of several owners.
        hidden: Whether ``--help`` leaves it out.
    """

    group: str
    path: tuple[str, ...]
    type: Any
    help: str
    default: str
    panel: str
    paths: tuple[tuple[str, tuple[str, ...]], ...] = ()
    hidden: bool = False

    def of(self, owner: str) -> tuple[str, ...]:
        """The option's path for an owner."""
        return dict(self.paths).get(owner, self.path)

    @property
    def owners(self) -> list[str]:
        """Who has it."""
        return [owner for owner, _ in self.paths]


def flags_of(kind: type[Options], group: str, panel: str = "") -> list[Flag]:
    """The flags of a class and of the options nested in it; none for what no flag can hold."""
    found = []
    for option in described(kind):
        if isinstance(option.type, type) and issubclass(option.type, Options):
            found += [
                replace(flag, path=(option.name, *flag.path), panel=option.name.capitalize())
                for flag in flags_of(option.type, group, panel)
            ]
        elif get_origin(option.type) is not dict and option.type is not Any:
            kind, text = _inner(option.type), _first_sentence(option.help)
            found.append(Flag(group, (option.name,), kind, text, _in_words(option.default), panel))
    return found


def union(kinds: Mapping[str, Sequence[Flag]]) -> list[Flag]:
    """The flags of several owners together: one for options of one name, wherever each has it.

    Args:
        kinds: Who has which.
    """
    found: dict[str, list[dict[str, Flag]]] = {}
    for owner, flags in kinds.items():
        for flag in sorted(flags, key=lambda flag: len(flag.path)):
            alike = found.setdefault(flag.path[-1], [])
            free = next((own for own in alike if owner not in own), None)
            if free is None:
                free = {}
                alike.append(free)
            free[owner] = flag
    return [_merged(own) for alike in found.values() for own in alike]


def _inner(hint: Any) -> Any:
    """The type without None."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [kind for kind in get_args(hint) if kind is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else str
    return hint


def _first_sentence(text: str) -> str:
    plain = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"\1", text).replace("``", "")
    return re.split(r"(?<=\.)\s(?=[A-Z'])|(?<=;)\s", plain, maxsplit=1)[0].rstrip(".;")


def _in_words(default: Any) -> str:
    """A default value as a flag would give it; nothing for none."""
    if default is None or default in ("", ()):
        return ""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return ("on" if default else "off") if isinstance(default, bool) else str(default)


def _merged(own: Mapping[str, Flag]) -> Flag:
    """One flag for an option that several have."""
    first = next(iter(own.values()))
    text, default = (_by_owner(own, what) for what in ("help", "default"))
    panel = first.panel or f"{first.group.capitalize()}{'s' if len(own) > 1 else ''} {', '.join(own)}"
    kind = _common([flag.type for flag in own.values()])
    return Flag(
        first.group,
        first.path,
        kind,
        text,
        default,
        panel,
        tuple((name, flag.path) for name, flag in own.items()),
    )


def _by_owner(own: Mapping[str, Flag], what: str) -> str:
    """What flags of one name say, told with whose it is where that differs."""
    told: dict[str, list[str]] = {}
    for name, flag in own.items():
        told.setdefault(getattr(flag, what), []).append(name)
    if len(told) == 1:
        return next(iter(told))
    return "; ".join(f"{', '.join(names)}: {said or 'none'}" for said, names in told.items())


def _common(kinds: Sequence[Any]) -> Any:
    """A type that holds values of all: the same, all choices, or a text that each reads in its way."""
    if all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    if all(get_origin(kind) is Literal for kind in kinds):
        return Literal[tuple(dict.fromkeys(choice for kind in kinds for choice in get_args(kind)))]
    return str
