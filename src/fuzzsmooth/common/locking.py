"""One writer at a time: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import way_out


class LockedError(FuzzsmoothError):
    """Another process is writing it."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keep every other process from writing a file or a folder of ours.

    What is locked is a file beside it, ``.NAME.lock``, as the thing itself may be replaced while it is
    written. The lock is the operating system's and goes with the process, so that a lock file that a killed
    one has left is no obstacle. One process must not lock the same path twice.

    Args:
        path: The file or folder that is written; it need not exist.

    Raises:
        LockedError: If another process is writing it.
        FuzzsmoothError: If nothing can be written there.
    """
    handle, lock = _locked(path)
    try:
        yield
    finally:
        if lock.name.endswith(_SUFFIX) and _is_named(handle, lock):
            lock.unlink()
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether a process is writing a file or a folder of ours; nothing is written to find out.

    Whoever wants to begin writing at this very moment may be refused once.
    """
    place = Path(os.path.realpath(path.expanduser()))
    try:
        handle = os.open(_lock_file(place), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


_SUFFIX = ".lock"


def _lock_file(place: Path) -> Path:
    return place.with_name(f".{place.name}{_SUFFIX}") if place.name else place


def _locked(path: Path) -> tuple[int, Path]:
    """The open lock file and its name."""
    while True:
        try:
            handle, lock = _opened(Path(os.path.realpath(path.expanduser())))
        except OSError as error:
            raise FuzzsmoothError(f"cannot write {path}: {error.strerror}; {way_out(error)}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise LockedError(
                f"{path} is being written by another process; wait for it, or choose another place"
            ) from error
        # Whoever held it before may have deleted the file between our opening and our locking it.
        if _is_named(handle, lock):
            return handle, lock
        os.close(handle)


def _opened(place: Path) -> tuple[int, Path]:
    lock = _lock_file(place)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), lock
    except OSError:
        if not place.exists():
            raise
        return os.open(place, os.O_RDONLY), place  # a place that may be written, among others that may not


def _is_named(handle: int, lock: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(lock))
    except FileNotFoundError:
        return False
