"""Where data can come from: a file, a folder of files, a Hugging Face name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.hub import hub_label_names, hub_table, load_hub_splits
from fuzzsmooth.data.tables import SUFFIXES, Table, read_table

BUILTIN: Final = "builtin:reviews"
"""The one built-in data set."""

HELD_OUT: Final = ("dev", "validation", "test")
"""Names of the part to measure on, most preferred first: test parts are often published without labels."""


@dataclass(frozen=True)
class Source:
    """A table, with the class names it declares, if any."""

    table: Table
    labels: tuple[str, ...] | None = None


def tables(source: str, wanted: tuple[str, str]) -> tuple[Source, Source | None]:
    """The training part and, if the source has one, the part to measure on."""
    path = Path(source).expanduser()
    if path.is_dir():
        train, held_out = _folder_files(path)
        return Source(read_table(train, wanted)), Source(read_table(held_out, wanted))
    if path.exists() or _looks_like_path(source):
        return Source(read_table(path, wanted)), None
    return _hub_sources(source, wanted)


def check_source(source: str) -> None:
    """Check, before minutes are spent, that a source that must be a file or a folder is there.

    Raises:
        FuzzsmoothError: If it is not, or if there is no such built-in data.
    """
    if source.startswith("builtin:"):
        require(source == BUILTIN, f"there is no '{source}'; the built-in data set is '{BUILTIN}'")
    elif _looks_like_path(source) and not Path(source).expanduser().exists():
        raise FuzzsmoothError(f"there is no file {source}; check the path")


def _looks_like_path(source: str) -> bool:
    """Whether a name cannot be a hub name ("name" or "owner/name"), so that it must be a missing file."""
    return (
        source.startswith((".", "/", "~"))
        or "\\" in source
        or source.count("/") > 1
        or Path(source).suffix.lower() in (*SUFFIXES, ".txt")
    )


def _folder_files(folder: Path) -> tuple[Path, Path]:
    train = _part(folder, "train")
    if train is None:
        raise FuzzsmoothError(
            f"{folder} has no train file; put train.csv (or {', '.join(SUFFIXES[1:])}) there"
        )
    for name in HELD_OUT:
        held_out = _part(folder, name)
        if held_out is not None:
            return train, held_out
    raise FuzzsmoothError(
        f"{folder} has {train.name} but no dev, validation or test file; add one or give {train} itself"
    )


def _part(folder: Path, name: str) -> Path | None:
    found = sorted(path for path in folder.iterdir() if path.stem == name and path.suffix.lower() in SUFFIXES)
    if len(found) > 1:
        shown = " and ".join(path.name for path in found)
        raise FuzzsmoothError(f"{folder} has {shown}; keep one of them")
    return found[0] if found else None


def _hub_sources(name: str, wanted: tuple[str, str]) -> tuple[Source, Source | None]:
    splits = load_hub_splits(name)
    if "train" not in splits:
        raise FuzzsmoothError(f"data set '{name}' has no split 'train'; its splits are {', '.join(splits)}")

    def part(split: str) -> Source:
        table = hub_table(splits[split], f"{name}[{split}]", wanted)
        return Source(table, hub_label_names(splits[split], wanted[1]))

    held_out = next((split for split in HELD_OUT if split in splits), None)
    return part("train"), None if held_out is None else part(held_out)
