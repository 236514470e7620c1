"""Every command line in the documents names commands and flags that exist; none of them is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer
from docs_pages import ROOT, blocks, command_lines, inline, pages

from fuzzsmooth.apps.cli.main import app

COMMAND = typer.main.get_command(app)
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*(\.\w+)?|\.\.\.|…")


def choices(parameter: Any) -> tuple[str, ...]:
    """What a flag or an argument may be, if that is a list of words; typer has told it in two ways."""
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is None:
        return tuple(getattr(parameter.type, "choices", ()))
    wanted = descriptor.annotation
    return get_args(wanted) if get_origin(wanted) is Literal else ()


def problem(parameter: Any, value: str) -> str:
    """Why a value cannot be given, or nothing; words in capitals stand for any, and a|b for each."""
    known = choices(parameter)
    if not known or all(part in known or _PLACEHOLDER.fullmatch(part) for part in value.split("|")):
        return ""
    return f"{parameter.name} cannot be {value!r}: {', '.join(known)}"


def problems(arguments: Sequence[str], command: Any = COMMAND) -> list[str]:
    """What is wrong with the arguments of a command, by the names of its subcommands, flags and choices."""
    parameters = command.get_params(command.context_class(command))  # those derived from options, too
    flags = {
        name: parameter
        for parameter in parameters
        if parameter.param_type_name == "option" and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    places = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
    found, rest = [], list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name.startswith("-") and name != "-":
            if name not in flags:
                found.append(f"'{command.name}' has no flag {name}")
            elif not flags[name].is_flag:
                found.append(problem(flags[name], value if equals else "".join(rest[:1])))
                rest = rest if equals else rest[1:]
        elif hasattr(command, "commands") and not _PLACEHOLDER.fullmatch(name):
            if name not in command.commands:
                return [f"there is no command '{name}'"]
            return problems(rest, command.commands[name])
        elif places:
            found.append(problem(places.pop(0), name + equals + value))
    return list(filter(None, found))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_command_lines_name_what_there_is(page: Path) -> None:
    found = {" ".join(line): problems(line) for line in command_lines(page)}
    assert {line: wrong for line, wrong in found.items() if wrong} == {}


def test_there_are_command_lines() -> None:
    lines = list(command_lines(ROOT / "README.md"))
    assert {line[0] for line in lines} >= {"predict", "certify", "scan"}


@pytest.mark.parametrize(
    "line",
    [
        ["certifi"],
        ["certify", "--nonsense", "1", "IN.csv"],
        ["predict", "--precision", "float7", "IN.csv"],
        ["certify", "--mode", "windows", "IN.csv"],
        ["list", "attack"],
    ],
)
def test_control_mistakes_are_found(line: list[str]) -> None:
    assert problems(line)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    told = "\n".join([*(block.body for block in blocks(page)), *inline(page)])
    named = re.findall(r"^\s*make(?: [A-Z]+=\S+)* ([\w-]+)", told, re.MULTILINE)
    assert set(named) <= targets
