"""Files written so that a kill or a full disk never leaves half of one behind."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

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

    A record is one ``write`` of a whole line; a line torn by a kill is cut off at the next opening.

    Args:
        path: The file; created on the first append.
        key: The field that identifies a record.
    """

    def __init__(self, path: Path, key: str = "key") -> None:
        self.path = path
        self._key = key
        self._records: dict[Any, dict[str, Any]] = {}
        if path.exists():
            for number, record in enumerate(self._cut_torn_line(), 1):
                if not isinstance(record.get(key), str | int):
                    raise FuzzsmoothError(f"{path}, record {number}: no '{key}' that names it")
                self._records[record[key]] = record

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, key: Any) -> dict[str, Any]:
        return self._records[key]

    def records(self) -> list[dict[str, Any]]:
        """All records, in file order."""
        return list(self._records.values())

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records whose key is new; each is one line, flushed before return.

        Raises:
            FuzzsmoothError: If the file cannot be written; what was appended before stays, of these none.
        """
        fresh: dict[Any, dict[str, Any]] = {}
        for record in records:
            if record[self._key] not in self._records:
                fresh.setdefault(record[self._key], dict(record))
        if not fresh:
            return
        lines = b"".join(_encoded(record) + b"\n" for record in fresh.values())
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
        self._records.update(fresh)

    def _cut_torn_line(self) -> list[dict[str, Any]]:
        content = self.path.read_bytes()
        end = content.rfind(b"\n") + 1
        if end != len(content):
            with open(self.path, "r+b") as stream:
                stream.truncate(end)
        try:
            # Only "\n" ends a line: a text may hold U+2028, where str.splitlines would cut it.
            lines = content[:end].decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            number = content.count(b"\n", 0, error.start) + 1
            raise FuzzsmoothError(f"{self.path}, line {number}: not UTF-8 text") from error
        return list(read_json_lines(lines, str(self.path)))


def read_json_lines(lines: Iterable[str], where: str) -> Iterator[dict[str, Any]]:
    """Parse JSON-lines records; blank lines are skipped.

    Raises:
        FuzzsmoothError: Naming the first line that is not a JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise FuzzsmoothError(f"{where}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(record, dict):
            raise FuzzsmoothError(
                f"{where}, line {number}: expected a JSON object, got {type(record).__name__}"
            )
        yield record
