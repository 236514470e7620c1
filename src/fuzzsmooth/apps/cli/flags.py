"""Flags that are derived from options: what an options class says is written once, there.

A command names the classes whose options it takes (:func:`takes`). Their flags are made when that command is
asked for, so that others do not wait for what defines them; a flag that was not given is absent.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from typer.core import TyperCommand

from fuzzsmooth.apps.cli.options_as_flags import Flag, flags_of, union
from fuzzsmooth.apps.cli.parameters import as_text
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options

OptionsT = TypeVar("OptionsT", bound=Options)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])

Group = Callable[[], list[Flag]]
"""Makes the flags of some options."""

DEFENSE, GONE = "defense", "mode"
"""The groups of :func:`defenses`: their flags, and one that they replace."""


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
            replace(flag, path=(under, *flag.path)) if under else flag
            for flag in flags_of(found, name, panel)
            if flag.path[0] not in skip and (only is None or flag.path[0] in only)
        ]

    return make


def defenses() -> list[Flag]:
    """The flags of all registered defenses, each told with the defenses that have it."""
    from fuzzsmooth.defenses import DEFENSES

    flags = union({name: flags_of(kind.options_type, DEFENSE) for name, kind in DEFENSES.all().items()})
    return flags if any(flag.path == (GONE,) for flag in flags) else [*flags, _replaced()]


def _replaced() -> Flag:
    return Flag(GONE, (GONE,), str, "Now --defense", "", "", hidden=True)


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

    def mapping(self, group: str, owner: str = "") -> dict[str, Any]:
        """Names to values of the options of a group that were given, nested ones in mappings of their own.

        Args:
            group: The group.
            owner: For whom, if it is a :func:`union`.

        Raises:
            FuzzsmoothError: If a value is bad, or the owner lacks an option; the nearest is named.
        """
        mapping: dict[str, Any] = {}
        for flag, value in self._values.items():
            if flag.group == group:
                self._check_owner(flag, owner)
                _set(mapping, flag.of(owner), _parsed(value, flag.type, self._names[flag]))
        return mapping

    def given(self, group: str) -> bool:
        """Whether any flag of a group was given."""
        return any(flag.group == group for flag in self._values)

    def _check_owner(self, flag: Flag, owner: str) -> None:
        if owner and owner not in flag.owners:
            own = [name for known, name in self._names.items() if owner in known.owners]
            alike = [name for name in own if self._names[flag] in name.split("_")]
            near = alike or difflib.get_close_matches(self._names[flag], own, n=1)
            hint = (
                f"did you mean {shown(near[0])}?"
                if near
                else f"it has {', '.join(map(shown, own)) or 'none'}"
            )
            name, others = shown(self._names[flag]), ", ".join(flag.owners)
            raise FuzzsmoothError(f"{flag.group} '{owner}' has no {name}, which is for {others}; {hint}")


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


_FILES = ("references",)
"""Flags that name a file in some command, and so in no other command an option inside of another."""


def _named(flags: Sequence[Flag], taken: Iterable[str]) -> dict[Flag, str]:
    """Names that are all different: the option's own, for a nested one after the others where it is free."""
    names: dict[Flag, str] = {}
    used = {name.replace("-", "_") for name in taken}
    for flag in sorted(flags, key=lambda flag: len(flag.path)):
        own, nested = flag.path[-1], len(flag.path) > 1
        name = "_".join(flag.path) if own in used or (nested and own in _FILES) else own
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
    text = f"{flag.help} (default: {flag.default})." if flag.default else f"{flag.help}."
    more: dict[str, Any] = {"help": text, "rich_help_panel": flag.panel or None, "hidden": flag.hidden}
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
