"""Files written so that a kill or a full disk never leaves half of one behind."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import MEBIBYTE, TABLE_BYTES, kind_of, open_regular, parse_json

_MEND = "mend the line, or give another file"


def check_output_file(path: Path, *, source: Path | None = None) -> None:
    """Check that a file may be written before anything is done for it; nothing is opened or changed.

    Args:
        path: The file, new or old.
        source: What is read while it is written, if that is a file.

    Raises:
        FuzzsmoothError: If it is a folder, a pipe or a device, lies in no folder, or is the source.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise FuzzsmoothError(f"cannot write {path}: {error.strerror}; choose another place") from error
    except ValueError as error:  # a null character in the name
        raise FuzzsmoothError(f"cannot write {str(path)!r}: it is no file name; choose another") from error
    require(not stat.S_ISDIR(mode), f"{path} is a folder; give the name of a file to write")
    require(stat.S_ISREG(mode), f"{path} is a pipe or a device, not a file; give the name of a file to write")
    require(
        source is None or not source.exists() or not path.samefile(source),
        f"{path} is the input, which must not be overwritten; give another file to write",
    )


def way_out(error: OSError) -> str:
    """What to do about a file that cannot be written, as the end of a sentence."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "free space, then run it again" if full else "choose another place"


def cache_folder() -> Path:
    """The folder of what fuzzsmooth can make again: under ``XDG_CACHE_HOME``, or ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "fuzzsmooth"


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a whole file: to a temporary one beside it, flushed to disk, then renamed over it.

    Raises:
        FuzzsmoothError: If the disk is full or the place cannot be written; the old file stays as it was.
    """
    check_output_file(path)
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
        raise FuzzsmoothError(f"cannot write {path}: {error.strerror}; {way_out(error)}") from error


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

    A record is one ``write`` of a whole line; a line torn by a kill is cut off by the next append, and until
    then nothing in the file is changed. Memory holds where each record begins, and records are read from the
    file when they are asked for, so that it hardly grows with the file.

    Args:
        path: The file; created on the first append.
        key: The field that identifies a record. Of several records with one key the last counts.

    Attributes:
        torn: What follows the last whole line; empty but after a kill.

    Raises:
        FuzzsmoothError: If the file holds something else.
    """

    def __init__(self, path: Path, key: str = "key") -> None:
        check_output_file(path)
        self.path = path
        self.torn = b""
        self._key = key
        self._places: dict[Any, int] = {}
        self._end = self._size = 0  # of the whole lines, and of all
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
        self._write(b"".join(fresh.values()))
        for key, line in fresh.items():
            self._places[key] = self._end
            self._end += len(line)
        self._size = self._end

    def _write(self, lines: bytes) -> None:
        """Append lines in the place of a torn one, all or nothing."""
        opened = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab", buffering=0) as stream:
                if stream.seek(0, os.SEEK_END) != self._size:
                    raise FuzzsmoothError(self._changed())
                opened = True
                stream.truncate(self._end)
                while lines:  # unbuffered writes may be partial
                    lines = lines[stream.write(lines) :]
                os.fsync(stream.fileno())
        except OSError as error:
            if opened:
                os.truncate(self.path, self._end)  # no half line may stay for a later append to go on with
                self._size = self._end
            raise FuzzsmoothError(
                f"cannot append to {self.path}: {error.strerror}; {way_out(error)}"
            ) from error

    def _find_records(self) -> None:
        """Note where each record begins, and whether the last line is torn."""
        found = 0
        with open_regular(self.path, mend="give another file") as stream:
            for where, line in _lines(stream, self.path):
                if not line.endswith(b"\n"):
                    self.torn = line
                    break
                record = _parsed(line, where)
                if record is not None:
                    found += 1
                    if not isinstance(record.get(self._key), str | int):
                        raise FuzzsmoothError(f"{self.path}, record {found}: no '{self._key}' that names it")
                    self._places[record[self._key]] = self._end
                self._end += len(line)
            self._size = self._end + len(self.torn)

    def _read(self, stream: BinaryIO, key: Any, place: int) -> dict[str, Any]:
        stream.seek(place)
        try:
            record = _parsed(stream.readline(), str(self.path))
        except FuzzsmoothError:
            record = None
        if record is None or record.get(self._key) != key:
            raise FuzzsmoothError(self._changed())
        return record

    def _changed(self) -> str:
        return f"{self.path} was changed by another program while it was in use; run it again"


def read_json_lines(path: Path, *, mend: str) -> Iterator[dict[str, Any]]:
    """The JSON-lines records of a file, one at a time.

    Blank lines are skipped, and so is a last line that a kill has torn.

    Args:
        path: The file.
        mend: What to do about a file that cannot be read, as the end of the sentence.

    Raises:
        FuzzsmoothError: If it cannot be read, or a line is too long or not a JSON object.
    """
    with open_regular(path, mend=mend) as stream:
        for where, line in _lines(stream, path):
            try:
                record = _parsed(line, where)
            except FuzzsmoothError:
                if line.endswith(b"\n"):
                    raise
                return
            if record is not None:
                yield record


def _lines(stream: BinaryIO, path: Path) -> Iterator[tuple[str, bytes]]:
    """Each line, with its place in words."""
    # Only "\n" ends a line: a text may hold U+2028, where str.splitlines would cut it.
    for number, line in enumerate(iter(lambda: stream.readline(TABLE_BYTES), b""), 1):
        where = f"{path}, line {number}"
        require(len(line) < TABLE_BYTES, f"{where}: longer than {TABLE_BYTES // MEBIBYTE} MiB; {_MEND}")
        yield where, line


def _parsed(line: bytes, where: str) -> dict[str, Any] | None:
    """The JSON object of a line, or None for a blank one."""
    if not line.strip():
        return None
    record = parse_json(line, where, mend=_MEND)
    if not isinstance(record, dict):
        raise FuzzsmoothError(f"{where}: expected a JSON object, got {kind_of(record)}; {_MEND}")
    return record
