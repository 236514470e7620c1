"""The mark of a run's folder: one experiment per folder, also after an upgrade."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object

MARKER = "experiment.json"
"""Name of the mark inside the folder."""

_VERSION = 2
# Options that are gone, with the value that meant what is done now.
_GONE: Mapping[str, Any] = MappingProxyType({"objective": "each", "consistency": 0.0, "label": ""})

_ADDABLE = ("rows", "seeds", "budgets", "triggers", "strategies", "victims")  # they change no result


def claim(out: Path, facts: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Mark a folder as one experiment's; what only adds results may still change.

    A marked folder in which nothing was done yet is marked anew: a command that failed may be corrected.

    Args:
        out: The folder, new, empty or of the same experiment.
        facts: What decides its content: options and fingerprints of the data, by name.
        defaults: Default values of the options. An option that did not exist when the folder was marked
            must have its default now, which means "as before"; one that is gone since must have had the value
            that means what is done now.

    Raises:
        FuzzsmoothError: If the folder holds another experiment, or other things.
    """
    fixed = {name: value for name, value in facts.items() if name not in _ADDABLE}
    marker = out / MARKER
    if marker.is_file() and _is_begun(out):
        if not _agree(_marked(marker), fixed, defaults):
            raise FuzzsmoothError(
                f"{out} holds a run with other settings or data; choose another folder or delete this one"
            )
        return
    if not marker.is_file() and out.is_dir() and any(out.iterdir()):
        raise FuzzsmoothError(f"{out} is not empty and holds no run; choose another folder")
    write_json(marker, {"version": _VERSION, "options": fixed})


def _is_begun(out: Path) -> bool:
    """Whether a marked folder holds anything but the mark: a command that failed at once left nothing."""
    return any(path.name != MARKER and not path.is_dir() for path in out.rglob("*"))


def _marked(marker: Path) -> Any:
    mend = "so what the folder holds is unknown; choose another folder"
    options = read_json_object(marker, mend=mend).get("options")
    require(isinstance(options, Mapping), f"{marker} is damaged, {mend}")
    return options


def _agree(marked: Any, now: Any, default: Any) -> bool:
    """Whether two values are the same up to options that are new and at their default."""
    if not (isinstance(marked, Mapping) and isinstance(now, Mapping)):
        return bool(marked == (list(now) if isinstance(now, tuple) else now))
    inner = default if isinstance(default, Mapping) else {}
    gone = set(marked) - set(now)
    return all(name in _GONE and marked[name] == _GONE[name] for name in gone) and all(
        _agree(marked[name], value, inner.get(name))
        if name in marked
        else name in inner and _agree(json.loads(json.dumps(inner[name])), value, inner[name])
        for name, value in now.items()
    )
