"""Folders of data: parts as files, as numbered shards of the hub, or as `datasets` saves them to disk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.data.records import Row, Table
from fuzzsmooth.data.tables import SUFFIXES, read_table

_SHARD = re.compile(r"(?P<part>.+?)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]{16})?")
_STATE = "state.json"  # beside the Arrow files of one saved data set

_FORMS = (
    f"put train.csv (or {', '.join(SUFFIXES[1:])}) there, or train-00000-of-00001.parquet as the hub has it "
    "(also in a folder 'data'), or give a folder written by save_to_disk"
)


@dataclass(frozen=True)
class Part:
    """The files of one part of a data set.

    Attributes:
        source: What to call it: the file, or the folder or pattern of several.
        files: Its files in order.
    """

    source: str
    files: tuple[Path, ...]

    def read(self, wanted: Sequence[str]) -> Table:
        """All rows; those of several files are told apart by the name of the file."""
        tables = [read_table(file, wanted) for file in self.files]
        if len(tables) == 1:
            return replace(tables[0], source=self.source)
        first, rows = tables[0], list[Row]()
        for file, table in zip(self.files, tables, strict=True):
            require(
                (table.columns, table.declared) == (first.columns, first.declared),
                f"{file} has other columns or class names than {self.files[0].name}; keep one data set there",
            )
            start = len(rows)
            rows += [
                replace(row, number=start + row.number, place=f"{file.name}, {row.place}")
                for row in table.rows
            ]
        return Table(self.source, first.columns, tuple(rows), first.declared)


def saved_part(folder: Path) -> Part | None:
    """The data set in a folder of `datasets`' ``save_to_disk``; ``None`` if it is none.

    Raises:
        FuzzsmoothError: If it is not whole.
    """
    if not (folder / _STATE).is_file():
        return None
    state = read_json_object(folder / _STATE, mend="save the data set again")
    require(
        not state.get("_indices_data_files"),
        f"{folder} holds a selection of rows as old versions of datasets saved it; save it again",
    )
    files = sorted(file for file in folder.iterdir() if file.suffix == ".arrow")
    require(bool(files), f"{folder} has {_STATE} but no .arrow file; save the data set again")
    shards = [(file, found) for file in files if (found := _SHARD.fullmatch(file.stem)) is not None]
    if len(shards) < len(files):
        require(len(files) == 1, f"{folder} has several .arrow files; keep those of one data set")
        return Part(str(folder), tuple(files))
    return _shards(str(folder), shards)


def folder_part(folder: Path, name: str) -> Part | None:
    """A part of a folder, such as "train"; ``None`` if it has none.

    Raises:
        FuzzsmoothError: If there is more than one, or a shard is missing.
    """
    found = [part for place in (folder, folder / "data") if place.is_dir() for part in _parts(place, name)]
    if len(found) > 1:
        names = " and ".join(str(Path(part.source).relative_to(folder)) for part in found)
        raise FuzzsmoothError(f"{folder} has {names}; keep one of them")
    return found[0] if found else None


def folder_parts(folder: Path, held_out: Sequence[str]) -> tuple[Part, Part]:
    """The training part of a folder and the first there is of the parts held out.

    Raises:
        FuzzsmoothError: If one is missing, or as :func:`folder_part`.
    """
    train = folder_part(folder, "train")
    if train is None:
        raise FuzzsmoothError(f"{folder} has no train file; {_FORMS}")
    for name in held_out:
        part = folder_part(folder, name)
        if part is not None:
            return train, part
    raise FuzzsmoothError(
        f"{folder} has {Path(train.source).name} but no dev, validation or test file; "
        f"add one or give {train.source} itself"
    )


def _parts(place: Path, name: str) -> Iterator[Part]:
    sharded: dict[str, list[tuple[Path, re.Match[str]]]] = {}
    for file in sorted(place.iterdir()):
        if file.suffix.lower() not in SUFFIXES:
            continue
        shard = _SHARD.fullmatch(file.stem)
        if file.stem == name:
            yield Part(str(file), (file,))
        elif shard is not None and shard["part"] == name:
            sharded.setdefault(f"{name}-*-of-{shard['count']}{file.suffix}", []).append((file, shard))
    for pattern, shards in sharded.items():
        only = len(shards) == 1
        yield _shards(str(shards[0][0] if only else place / pattern), shards)
    saved = saved_part(place / name)
    if saved is not None:
        yield saved


def _shards(source: str, shards: Sequence[tuple[Path, re.Match[str]]]) -> Part:
    """Shards in order, none missing and none twice."""
    count = int(shards[0][1]["count"])
    numbers = [int(shard["number"]) for _, shard in shards]
    require(
        numbers == list(range(count)),
        f"{shards[0][0].parent} has {len(shards)} of the {count} files of {shards[0][1]['part']!r}; "
        "fetch or save the data set again",
    )
    return Part(source, tuple(file for file, _ in shards))
