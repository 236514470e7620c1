"""The reference of the command line, made from the application: every command with all of its flags."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin

from site_markdown import code, front, plain, row

PROGRAM = "fuzzsmooth"
_UNSET = (None, "", (), [], False)


@cache
def command_pages() -> dict[str, str]:
    """Every command that is not hidden: its words, such as "bench run", to a page in Markdown."""
    import typer

    from fuzzsmooth.apps.cli.main import app

    return {
        " ".join(words): _page(words, command) for words, command in _leaves((), typer.main.get_command(app))
    }


def overview(pages: dict[str, str]) -> str:
    """A table of all commands, with what the first sentence of each page says."""
    lines = [
        front("Commands"),
        "# Commands\n",
        "This page and those under it are made from the application when the site is built; "
        f"`{PROGRAM} COMMAND --help` says the same.\n",
        row("command", "what it does"),
        row("---", "---"),
    ]
    for words, page in pages.items():
        lines.append(row(f"[`{PROGRAM} {words}`]({file_name(words)})", _said(page)))
    lines += [
        "\nEvery command ends with exit code 0; 2 for what its user can mend, told in one sentence; "
        "130 after Ctrl-C. `audit` ends with 1 where it found something. `--config FILE` takes TOML or "
        "JSON with the names of the options; flags overrule it.\n",
    ]
    return "\n".join(lines)


def file_name(words: str) -> str:
    """The page of a command, beside the others."""
    return f"{words.replace(' ', '-')}.md"


def _said(page: str) -> str:
    """The first paragraph under the heading of a page."""
    return page.split("\n\n")[2].replace("\n", " ")


def _leaves(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands that do something; a group is its commands."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, inner in command.commands.items():
        if not inner.hidden:
            yield from _leaves((*words, name), inner)


def _page(words: tuple[str, ...], command: Any) -> str:
    name = " ".join((PROGRAM, *words))
    parameters = [one for one in command.get_params(command.context_class(command)) if not one.hidden]
    places = [one for one in parameters if one.param_type_name == "argument"]
    flags = [one for one in parameters if one.param_type_name == "option"]
    said = inspect.cleandoc(command.help or "")
    lines = [front(name), f"# {name}\n", f"{plain(said)}\n", f"```sh\n{_usage(name, places, flags)}\n```\n"]
    panels: dict[str, list[Any]] = {"Arguments": places} if places else {}
    for one in flags:
        panels.setdefault(one.rich_help_panel or "Options", []).append(one)
    for title, group in panels.items():
        lines += [f"## {title}\n", row("name", "value", "default", "meaning"), row(*["---"] * 4)]
        lines += [_line(one) for one in group]
        lines.append("")
    return "\n".join(lines)


def _usage(name: str, places: list[Any], flags: list[Any]) -> str:
    """How it is called: the places, and the flags that it cannot do without."""
    parts = [name, *(one.metavar or one.name.upper() for one in places)]
    parts += [f"{one.opts[0]} {_metavar(one)}" for one in flags if one.required]
    return " ".join([*parts, "[OPTIONS]"])


def _metavar(one: Any) -> str:
    return str(one.opts[0]).lstrip("-").replace("-", "_").upper()


def _line(one: Any) -> str:
    text, default = plain(one.help or ""), one.default
    found = re.search(r" \(default: (.*)\)\.$", text)
    if default in _UNSET and found:  # a flag derived from an option tells its default in its text
        text, shown = f"{text[: found.start()]}.", found[1]
    else:
        shown = "" if default in _UNSET else str(default)
    if one.required:
        shown = "*required*"
    names = one.opts if one.param_type_name == "option" else [one.metavar or one.name.upper()]
    name = ", ".join(code(part) for part in [*names, *(one.secondary_opts or [])])
    return row(name, _value(one), shown if "*" in shown or not shown else code(shown), text)


def _value(one: Any) -> str:
    """What may be given, in words."""
    if getattr(one, "is_flag", False):
        return ""
    descriptor = getattr(one, "type_descriptor", None)
    hint = descriptor.annotation if descriptor is not None else one.type
    if get_origin(hint) is Literal:
        return ", ".join(code(str(choice)) for choice in get_args(hint))
    choices = getattr(hint, "choices", None)
    if choices:
        return ", ".join(code(str(choice)) for choice in choices)
    if one.metavar and one.param_type_name == "option":
        return code(one.metavar)
    return _KINDS.get(getattr(hint, "__name__", getattr(hint, "name", "")), "text")


_KINDS = {"int": "whole number", "integer": "whole number", "float": "number", "Path": "path", "path": "path"}
