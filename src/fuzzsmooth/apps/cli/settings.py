"""Options of a command: a file, and the flags that overrule it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options

OptionsT = TypeVar("OptionsT", bound=Options)


def options_from(kind: type[OptionsT], config: Path | None, flags: Mapping[str, Any]) -> OptionsT:
    """Build options from a file and flags.

    Args:
        kind: The options class.
        config: A TOML or JSON file with its names, nested options as tables; None for the defaults.
        flags: Dotted option names ("search.budget") to values; None means the flag was not given.

    Raises:
        FuzzsmoothError: If the file cannot be read, or holds an unknown name or a bad value.
    """
    mapping = {} if config is None else read_config(config)
    where = "options" if config is None else str(config)
    for name, value in flags.items():
        if value is not None:
            _set(mapping, name.split("."), value, where)
    return kind.from_mapping(mapping, where=where)


def read_config(path: Path) -> dict[str, Any]:
    """Parse a TOML or JSON file of options.

    Raises:
        FuzzsmoothError: If it cannot be read or is neither.
    """
    try:
        content = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".toml":
            return tomllib.loads(content)
        value = json.loads(content)
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix.lower() == ".toml" else "JSON"
        raise FuzzsmoothError(
            f"{path} is not {kind} ({error}); mend it, or name it .toml or .json"
        ) from error
    if not isinstance(value, dict):
        raise FuzzsmoothError(f"{path}: expected names with values, got {type(value).__name__}")
    return value


def _set(mapping: dict[str, Any], names: list[str], value: Any, where: str) -> None:
    for name in names[:-1]:
        child = mapping.setdefault(name, {})
        if not isinstance(child, dict):
            raise FuzzsmoothError(f"{where}: '{name}' must be a table of options, got {child!r}")
        mapping = child
    mapping[names[-1]] = value
