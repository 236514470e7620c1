"""Files written so that a kill or a full disk never leaves half of one behind."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fuzzsmooth.common.errors import FuzzsmoothError


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a whole file: to a temporary one beside it, flushed to disk, then renamed over it.

    Raises:
        FuzzsmoothError: If the disk is full or the place cannot be written; the old file stays as it was.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise FuzzsmoothError(
            f"cannot write {path}: {error.strerror}; free space or choose another place"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; keys keep their order."""
    write_atomic(path, _encoded(value, indent=2) + b"\n")


def _encoded(value: Any, indent: int | None = None) -> bytes:
    """``value`` as JSON in UTF-8; where a lone surrogate forbids that, with every character escaped."""
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent).encode("ascii")


class Ledger:
    """An append-only JSON-lines file with one record per key: safe to kill, resumes without duplicates.

    A record is one ``write`` of a whole line; a line torn by a kill is cut off at the next opening. Memory
    holds where each record begins, and records are read from the file when they are asked for, so that it
    hardly grows with the file.

    Args:
        path: The file; created on the first append.
        key: The field that identifies a record. Of several records with one key the last counts.

    Raises:
        FuzzsmoothError: If the file holds something else, which then stays as it was.
    """

    def __init__(self, path: Path, key: str = "key") -> None:
        self.path = path
        self._key = key
        self._places: dict[Any, int] = {}
        if path.exists():
            self._find_records()

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Any]:
        """The keys, in file order."""
        return iter(self._places)

    def __getitem__(self, key: Any) -> dict[str, Any]:
        place = self._places[key]
        with open(self.path, "rb") as stream:
            return self._read(stream, key, place)

    def stream(self) -> Iterator[dict[str, Any]]:
        """All records, in file order, one at a time."""
        if self._places:
            with open(self.path, "rb") as stream:
                for key, place in self._places.items():
                    yield self._read(stream, key, place)

    def records(self) -> list[dict[str, Any]]:
        """All records, in file order, at once."""
        return list(self.stream())

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records whose key is new; each is one line, flushed before return.

        Raises:
            FuzzsmoothError: If the file cannot be written; what was appended before stays, of these none.
        """
        fresh: dict[Any, bytes] = {}
        for record in records:
            key = record[self._key]
            if key not in self._places and key not in fresh:
                fresh[key] = _encoded(dict(record)) + b"\n"
        if not fresh:
            return
        lines = b"".join(fresh.values())
        size = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab", buffering=0) as stream:
                size = stream.tell()
                while lines:  # unbuffered writes may be partial
                    lines = lines[stream.write(lines) :]
                os.fsync(stream.fileno())
        except OSError as error:
            if size is not None:
                os.truncate(self.path, size)  # no half line may stay for a later append to go on with
            raise FuzzsmoothError(
                f"cannot append to {self.path}: {error.strerror}; free space, then run it again"
            ) from error
        for key, line in fresh.items():
            self._places[key] = size
            size += len(line)

    def _find_records(self) -> None:
        """Note where each record begins, and cut a torn last line off."""
        place = found = 0
        with open(self.path, "rb") as stream:
            # Only "\n" ends a line: a text may hold U+2028, where str.splitlines would cut it.
            for number, line in enumerate(stream, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    record = _parsed(line.decode("utf-8"), f"{self.path}, line {number}")
                except UnicodeDecodeError as error:
                    raise FuzzsmoothError(f"{self.path}, line {number}: not UTF-8 text") from error
                if record is not None:
                    found += 1
                    if not isinstance(record.get(self._key), str | int):
                        raise FuzzsmoothError(f"{self.path}, record {found}: no '{self._key}' that names it")
                    self._places[record[self._key]] = place
                place += len(line)
        if place != self.path.stat().st_size:
            os.truncate(self.path, place)

    def _read(self, stream: BinaryIO, key: Any, place: int) -> dict[str, Any]:
        stream.seek(place)
        try:
            record = json.loads(stream.readline())
        except ValueError:
            record = None
        if not isinstance(record, dict) or record.get(self._key) != key:
            raise FuzzsmoothError(
                f"{self.path} was changed by another program while it was in use; run it again"
            )
        return record


def read_json_lines(lines: Iterable[str], where: str) -> Iterator[dict[str, Any]]:
    """Parse JSON-lines records; blank lines are skipped.

    Raises:
        FuzzsmoothError: Naming the first line that is not a JSON object.
    """
    for number, line in enumerate(lines, 1):
        record = _parsed(line, f"{where}, line {number}")
        if record is not None:
            yield record


def _parsed(line: str, where: str) -> dict[str, Any] | None:
    """The JSON object of a line, or None for a blank one."""
    if not line.strip():
        return None
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise FuzzsmoothError(f"{where}: not JSON ({error.msg})") from error
    if not isinstance(record, dict):
        raise FuzzsmoothError(f"{where}: expected a JSON object, got {type(record).__name__}")
    return record
