"""Files elsewhere, named by a URL that fsspec understands: ``s3://bucket/texts.parquet``, ``memory://x.csv``.

They are read and written whole. A written one is there whole or not at all where the file system has it so,
as object stores do. Credentials are the file system's own affair: its environment variables and files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.lines import DATA_BYTES

_URL = re.compile(r"([a-z][a-z0-9+.:-]+)://", re.IGNORECASE)


def is_remote(name: str) -> bool:
    """Whether a name is the URL of a file elsewhere; that of a file of this machine is none."""
    found = _URL.match(name)
    return found is not None and found[1].lower() not in ("file", "local")


def local_name(name: str) -> str:
    """The path of a ``file://`` URL; any other name as it is."""
    found = _URL.match(name)
    if found is None or found[1].lower() not in ("file", "local"):
        return name
    parts = urlsplit(name)
    return unquote(parts.netloc + parts.path)


def read_remote(name: str) -> bytes:
    """The content of a file elsewhere, which must exist and not be empty.

    Raises:
        FuzzsmoothError: If it is not there, too large or empty, or its file system cannot be used.
    """
    with _opened(name, "read") as (system, path):
        with system.open(path, "rb") as stream:
            content: bytes = stream.read(DATA_BYTES + 1)
        require(len(content) <= DATA_BYTES, f"{name} is larger than {DATA_BYTES // 2**30} GiB; split it")
        require(bool(content.strip()), f"{name} is empty; it needs at least one row")
    return content


def fetch(name: str, path: Path) -> bool:
    """Copy a file elsewhere to a path here; False if there is none.

    Raises:
        FuzzsmoothError: If its file system cannot be used.
    """
    with _opened(name, "read") as (system, place):
        if not system.exists(place):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.part")
        system.get_file(place, str(half))
        half.replace(path)
    return True


def check_remote(name: str) -> None:
    """Check, before anything is computed, that the file system of a URL can be used.

    Raises:
        FuzzsmoothError: If it cannot.
    """
    with _opened(name, "write") as (system, place):
        require(not system.isdir(place), f"{name} is a folder; give the name of a file to write")


def put(path: Path, name: str) -> None:
    """Copy a file here to a URL, over what is there.

    Raises:
        FuzzsmoothError: If it cannot be written.
    """
    with _opened(name, "write") as (system, place):
        parent = system._parent(place)
        if parent and not system.exists(parent):
            system.makedirs(parent, exist_ok=True)
        system.put_file(str(path), place)


@contextmanager
def _opened(name: str, purpose: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL, and the path on it; whatever it complains of within is a sentence."""
    require("::" not in name, f"{name}: chains of file systems are not followed; give a plain URL")
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError("fsspec", "data", f"a URL such as {name}") from error
    try:
        yield fsspec.core.url_to_fs(name)
    except FuzzsmoothError:
        raise
    except ImportError as error:
        raise FuzzsmoothError(f"cannot {purpose} {name}: {error}; install that package") from error
    except FileNotFoundError as error:
        raise FuzzsmoothError(f"there is no file {name}; check the URL") from error
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise FuzzsmoothError(
            f"cannot {purpose} {name} ({reason}); check the URL, and the credentials of its file system"
        ) from error
