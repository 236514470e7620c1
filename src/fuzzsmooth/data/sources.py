"""Where data can come from: a file, a folder of files, a Hugging Face name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.folders import folder_parts, saved_part
from fuzzsmooth.data.hub import hub_table, load_hub_splits
from fuzzsmooth.data.lines import local_path
from fuzzsmooth.data.records import Table
from fuzzsmooth.data.tables import SUFFIXES, read_table

BUILTIN: Final = "builtin:reviews"
"""The one built-in data set."""

HELD_OUT: Final = ("dev", "validation", "test")
"""Names of the part to measure on, most preferred first: test parts are often published without labels."""


def tables(source: str, wanted: tuple[str, str]) -> tuple[Table, Table | None]:
    """The training part and, if the source has one, the part to measure on."""
    path = local_path(source)
    if path.is_dir():
        saved = saved_part(path)
        if saved is not None:
            return saved.read(wanted), None
        train, held_out = folder_parts(path, HELD_OUT)
        return train.read(wanted), held_out.read(wanted)
    if _looks_like_path(source) or path.exists():
        return read_table(path, wanted), None
    return _hub_sources(source, wanted)


def one_table(path: Path, wanted: tuple[str, str]) -> Table:
    """A file, or a folder of one data set as `datasets` saves it."""
    saved = saved_part(path) if path.is_dir() else None
    return read_table(path, wanted) if saved is None else saved.read(wanted)


def check_source(source: str) -> None:
    """Check, before minutes are spent, that a source that must be a file or a folder is there.

    Raises:
        FuzzsmoothError: If it is not, or if there is no such built-in data.
    """
    if source.startswith("builtin:"):
        require(source == BUILTIN, f"there is no '{source}'; the built-in data set is '{BUILTIN}'")
    elif _looks_like_path(source) and not local_path(source).exists():
        raise FuzzsmoothError(f"there is no file {source}; check the path")


def _looks_like_path(source: str) -> bool:
    """Whether a name cannot be a hub name ("name" or "owner/name"), so that it must be a missing file."""
    return (
        source.startswith((".", "/", "~"))
        or "\\" in source
        or source.count("/") > 1
        or Path(source).suffix.lower() in (*SUFFIXES, ".txt")
    )


def _hub_sources(name: str, wanted: tuple[str, str]) -> tuple[Table, Table | None]:
    splits = load_hub_splits(name)
    if "train" not in splits:
        raise FuzzsmoothError(f"data set '{name}' has no split 'train'; its splits are {', '.join(splits)}")

    def part(split: str) -> Table:
        return hub_table(splits[split], f"{name}[{split}]", wanted)

    held_out = next((split for split in HELD_OUT if split in splits), None)
    return part("train"), None if held_out is None else part(held_out)
