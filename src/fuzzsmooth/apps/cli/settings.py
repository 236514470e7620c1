"""Options of a command: a file, and the flags that overrule it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options, overruled
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, kind_of, parse_json, read_text

OptionsT = TypeVar("OptionsT", bound=Options)


def options_from(kind: type[OptionsT], config: Path | None, flags: Mapping[str, Any]) -> OptionsT:
    """Build options from a file and flags.

    Args:
        kind: The options class.
        config: A TOML or JSON file with its names, nested options as tables; None for the defaults.
        flags: Option names to the values of flags that were given, nested options as mappings.

    Raises:
        FuzzsmoothError: If the file cannot be read, or holds an unknown name or a bad value.
    """
    where = "options" if config is None else str(config)
    return kind.from_mapping(given_options(config, flags), where=where)


def given_options(config: Path | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    """What a file and the flags give, as :func:`options_from` takes it, by name and not checked yet.

    Raises:
        FuzzsmoothError: If the file cannot be read.
    """
    return overruled({} if config is None else read_config(config), flags, str(config))


def check_given(config: Path | None, flags: Mapping[str, Any]) -> None:
    """Check that the model and the data of an experiment are there, before what runs it is imported.

    Raises:
        FuzzsmoothError: If one is not, or the file of options cannot be read.
    """
    from fuzzsmooth.data import check_source
    from fuzzsmooth.models import resolve_model

    given = given_options(config, flags)
    model, data = given.get("model"), given.get("data")
    if isinstance(model, str):
        resolve_model(model)
    if isinstance(data, str):
        check_source(data)


def read_config(path: Path) -> dict[str, Any]:
    """Parse a TOML or JSON file of options.

    Raises:
        FuzzsmoothError: If it cannot be read or is neither.
    """
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        raise FuzzsmoothError(f"{path}: YAML is not read; write the options as .toml or .json")
    mend = "mend it, or name it .toml or .json"
    content = read_text(path, limit=CONFIGURATION_BYTES, mend=mend)
    value = _toml(content, path) if suffix == ".toml" else parse_json(content, str(path), mend=mend)
    if not isinstance(value, dict):
        raise FuzzsmoothError(f"{path}: expected names with values, got {kind_of(value)}")
    return value


def _toml(content: str, path: Path) -> dict[str, Any]:
    try:
        value = tomllib.loads(content)
        # What JSON cannot hold (dates, times, infinities) is no value of an option either.
        json.dumps(value, allow_nan=False)
    except RecursionError:
        reason = "nested too deeply"
    except (ValueError, TypeError) as error:
        reason = str(error)
    else:
        return value
    raise FuzzsmoothError(
        f"{path} is not TOML that options can be read from ({reason}); mend it, or name it .json"
    )
