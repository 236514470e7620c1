"""Flags that are derived from options: what an options class says is written once, there.

A command names the classes whose options it takes (:func:`takes`). Their flags are made when that command is
asked for, so that others do not wait for the import of what defines them; a flag that was not given is absent.
"""

from __future__ import annotations

import importlib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from typer.core import TyperCommand

from fuzzsmooth.apps.cli.parameters import as_text
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options, described

OptionsT = TypeVar("OptionsT", bound=Options)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@dataclass(frozen=True)
class Flag:
    """A flag for an option.

    Attributes:
        group: Which options it belongs to.
        path: The option's name, after those of the options it is nested in.
        type: Its type.
        help: What it does.
        panel: Where ``--help`` shows it.
        owners: The defenses that have it, where the group is one of defenses.
        hidden: Whether ``--help`` leaves it out.
    """

    group: str
    path: tuple[str, ...]
    type: Any
    help: str
    panel: str
    owners: tuple[str, ...] = ()
    hidden: bool = False


Group = Callable[[], list[Flag]]
"""Makes the flags of some options."""


def options(
    kind: type[Options] | str,
    panel: str,
    *,
    under: str = "",
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
) -> Group:
    """The flags of an options class.

    Args:
        kind: The class, or "module:Class" where it is imported only then.
        panel: Where ``--help`` shows them.
        under: If given, they are named as if nested in an option of that name: after it where another flag
            has the name.
        only: The options that have a flag; all if None.
        skip: Options without a flag.
    """

    def make() -> list[Flag]:
        found = _loaded(kind) if isinstance(kind, str) else kind
        name = found.__name__
        return [
            Flag(name, (under, *flag.path) if under else flag.path, flag.type, flag.help, flag.panel)
            for flag in _flags(found, name, panel)
            if flag.path[0] not in skip and (only is None or flag.path[0] in only)
        ]

    return make


def defenses() -> list[Flag]:
    """The flags of all registered defenses, each told with the defenses that have it."""
    from fuzzsmooth.defenses import DEFENSES

    flags = union({name: kind.options_type for name, kind in DEFENSES.all().items()}, DEFENSE)
    gone = [] if any(flag.path == (GONE,) for flag in flags) else [_replaced()]
    return flags + gone


def union(kinds: Mapping[str, type[Options]], group: str, *, skip: Iterable[str] = ()) -> list[Flag]:
    """The flags of several options classes together.

    Args:
        kinds: Who has which.
        group: The group of the flags.
        skip: Options without a flag.
    """
    found: dict[tuple[str, ...], dict[str, Flag]] = {}
    for name, kind in kinds.items():
        for flag in _flags(kind, group, ""):
            if flag.path[0] not in skip:
                found.setdefault(flag.path, {})[name] = flag
    return [_merged(path, own) for path, own in found.items()]


DEFENSE, GONE = "defense", "mode"
"""The groups of :func:`defenses`: their flags, and one that they replace."""


def _replaced() -> Flag:
    return Flag(GONE, (GONE,), str, "Now --defense.", "", hidden=True)


def takes(*groups: Group) -> Callable[[CommandT], CommandT]:
    """A decorator that says which options a command takes beside its own parameters.

    The command's first parameter is the context, whose ``obj`` is then what was :class:`Given`.
    """

    def mark(command: CommandT) -> CommandT:
        vars(command)["groups"] = groups
        return command

    return mark


def command_class(function: Callable[..., Any]) -> type[TyperCommand]:
    """The class of a command: one that adds the flags of its options when it is asked for them."""
    groups: tuple[Group, ...] = vars(function).get("groups", ())
    return type("Command", (_Derived,), {"groups": groups}) if groups else TyperCommand


class Given:
    """The flags that were given."""

    def __init__(self, values: Mapping[Flag, Any], names: Mapping[Flag, str]) -> None:
        self._values = values
        self._names = names

    def of(self, kind: type[OptionsT]) -> OptionsT:
        """The options of a class, from its flags alone.

        Raises:
            FuzzsmoothError: If a value is bad.
        """
        return kind.from_mapping(self.mapping(kind.__name__))

    def mapping(self, group: str) -> dict[str, Any]:
        """Names to values of the options of a group that were given, nested ones in mappings of their own."""
        mapping: dict[str, Any] = {}
        for flag, value in self._values.items():
            if flag.group == group:
                _set(mapping, flag.path, _parsed(value, flag.type, self._names[flag]))
        return mapping

    def names(self, group: str) -> list[str]:
        """The flags of a group that were given, as on the command line."""
        return [shown(self._names[flag]) for flag in self._values if flag.group == group]

    def known(self, owner: str) -> list[str]:
        """All flags of a defense."""
        return [shown(name) for flag, name in self._names.items() if owner in flag.owners]


def shown(name: str) -> str:
    """An option's name as a flag."""
    return f"--{name.replace('_', '-')}"


class _Derived(TyperCommand):
    """A command that has flags derived from options."""

    groups: tuple[Group, ...] = ()
    _names: dict[Flag, str]

    def get_params(self, ctx: Any) -> Any:
        if not hasattr(self, "_names"):
            taken = [str(parameter.name) for parameter in self.params]
            self._names = _named([flag for group in self.groups for flag in group()], taken)
            self.params += _parameters(self._names)
        return super().get_params(ctx)

    def invoke(self, ctx: Any) -> Any:
        values = {flag: ctx.params.pop(_variable(name)) for flag, name in self._names.items()}
        ctx.obj = Given({flag: value for flag, value in values.items() if value is not None}, self._names)
        return super().invoke(ctx)


def _loaded(place: str) -> type[Options]:
    module, _, name = place.partition(":")
    kind: type[Options] = getattr(importlib.import_module(module), name)
    return kind


def _flags(kind: type[Options], group: str, panel: str) -> list[Flag]:
    """The flags of a class and of the options nested in it; none for what no flag can hold."""
    found = []
    for option in described(kind):
        if isinstance(option.type, type) and issubclass(option.type, Options):
            found += [
                Flag(group, (option.name, *flag.path), flag.type, flag.help, option.name.capitalize())
                for flag in _flags(option.type, group, panel)
            ]
        elif get_origin(option.type) is not dict and option.type is not Any:
            found.append(Flag(group, (option.name,), _inner(option.type), _help(option), panel))
    return found


def _inner(hint: Any) -> Any:
    """The type without None."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [kind for kind in get_args(hint) if kind is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else str
    return hint


def _help(option: Any) -> str:
    """The first sentence of an option's text, and its default."""
    first = re.split(r"(?<=[.;])\s", option.help.replace("``", ""), maxsplit=1)[0].rstrip(".;")
    default = option.default
    if default is None or default in ("", ()):
        return f"{first}."
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    if isinstance(default, bool):
        default = "on" if default else "off"
    return f"{first} (default: {default})."


def _merged(path: tuple[str, ...], own: Mapping[str, Flag]) -> Flag:
    """One flag for an option that several defenses have."""
    first = next(iter(own.values()))
    told: dict[str, list[str]] = {}
    for name, flag in own.items():
        told.setdefault(flag.help, []).append(name)
    text = first.help if len(told) == 1 else " ".join(f"{', '.join(of)}: {what}" for what, of in told.items())
    panel = first.panel or f"Of {', '.join(own)}"
    return Flag(first.group, path, _common([flag.type for flag in own.values()]), text, panel, tuple(own))


def _common(kinds: Sequence[Any]) -> Any:
    """A type that holds values of all: the same, all choices, or a text that each reads in its way."""
    if all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    if all(get_origin(kind) is Literal for kind in kinds):
        return Literal[tuple(dict.fromkeys(choice for kind in kinds for choice in get_args(kind)))]
    return str


def _named(flags: Sequence[Flag], taken: Iterable[str]) -> dict[Flag, str]:
    """Names that are all different: the option's own, for a nested one after the others where it is free."""
    names: dict[Flag, str] = {}
    used = {name.replace("-", "_") for name in taken}
    for flag in sorted(flags, key=lambda flag: len(flag.path)):
        name = flag.path[-1] if flag.path[-1] not in used else "_".join(flag.path)
        if name in used:
            raise FuzzsmoothError(f"two options want the flag {shown(name)}; rename one")
        used.add(name)
        names[flag] = name
    return {flag: names[flag] for flag in flags}


def _variable(name: str) -> str:
    return f"option_{name}"


def _parameters(names: Mapping[Flag, str]) -> list[Any]:
    """The parameters of the flags, made as for a function that has them."""

    def command(**_values: Any) -> None: ...

    signature, hints = [], {}
    for flag, name in names.items():
        hint = _hint(flag, name)
        hints[_variable(name)] = hint
        kind = inspect.Parameter.KEYWORD_ONLY
        signature.append(inspect.Parameter(_variable(name), kind, default=None, annotation=hint))
    vars(command)["__signature__"] = inspect.Signature(signature)
    command.__annotations__ = hints
    made = typer.Typer(add_completion=False, rich_markup_mode=None)
    made.command()(command)
    return list(typer.main.get_command(made).params)


def _hint(flag: Flag, name: str) -> Any:
    more: dict[str, Any] = {"help": flag.help, "rich_help_panel": flag.panel or None, "hidden": flag.hidden}
    if flag.type is bool:
        return Annotated[bool | None, typer.Option(f"{shown(name)}/{shown(f'no_{name}')}", **more)]
    if get_origin(flag.type) is tuple:
        more["metavar"] = "A,B,..."
    kind = flag.type if flag.type in (int, float) or get_origin(flag.type) is Literal else str
    if kind is str:
        more["callback"] = as_text
    return Annotated[kind | None, typer.Option(shown(name), **more)]


def _parsed(value: Any, kind: Any, name: str) -> Any:
    """A value as the option takes it: of a list, the parts separated by commas."""
    if get_origin(kind) is not tuple:
        return value
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    item = get_args(kind)[0]
    if item not in (int, float):
        return parts
    try:
        return tuple(item(part) for part in parts)
    except ValueError as error:
        numbers = "whole numbers" if item is int else "numbers"
        raise FuzzsmoothError(f"{shown(name)} {value}: expected {numbers} separated by commas") from error


def _set(mapping: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        mapping = mapping.setdefault(name, {})
    mapping[path[-1]] = value
