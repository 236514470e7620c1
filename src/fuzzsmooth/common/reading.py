"""Reading what strangers wrote: bounded in size and nesting, regular files only, every fault one sentence."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from fuzzsmooth.common.errors import FuzzsmoothError

MEBIBYTE = 2**20

CONFIGURATION_BYTES = MEBIBYTE
"""Most bytes of a model's configuration, of options and of markers."""

TABLE_BYTES = 64 * MEBIBYTE
"""Most bytes of reference texts, rate tables, indices and summaries."""

_DIGITS = 300  # of a whole number: beyond this it does not fit a float
_DEPTH = 100  # of lists and objects in each other: what walks through them afterwards has a stack, too


def open_regular(path: Path, *, mend: str) -> BinaryIO:
    """Open a regular file for reading bytes.

    A pipe or a device is refused before anything is read, so that no reader waits for it.

    Args:
        path: The file.
        mend: What to do about a file that cannot be read, as the end of the sentence.

    Raises:
        FuzzsmoothError: If it is no regular file, or cannot be opened.
    """
    try:
        stream = open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")  # noqa: SIM115
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}; {mend}") from error
    except ValueError as error:  # a null character in the name
        raise FuzzsmoothError(f"cannot read {str(path)!r}: it is no file name; {mend}") from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FuzzsmoothError(f"{path} is not a regular file; {mend}")
    return stream


def read_bytes(path: Path, *, limit: int, mend: str) -> bytes:
    """The content of a regular file of at most ``limit`` bytes.

    Args:
        path: The file.
        limit: Most bytes.
        mend: What to do about a file that cannot be read, as the end of the sentence.

    Raises:
        FuzzsmoothError: As :func:`open_regular`, or if it is larger.
    """
    try:
        with open_regular(path, mend=mend) as stream:
            fits = os.fstat(stream.fileno()).st_size <= limit
            # What grows while it is read is bounded too.
            content = stream.read(limit + 1) if fits else b""
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}; {mend}") from error
    if not fits or len(content) > limit:
        raise FuzzsmoothError(f"{path} is larger than {limit / MEBIBYTE:.3g} MiB; {mend}")
    return content


def read_text(path: Path, *, limit: int, mend: str) -> str:
    """The content of a regular file of at most ``limit`` bytes as UTF-8 text; a byte order mark is skipped.

    Raises:
        FuzzsmoothError: As :func:`read_bytes`, or if it is not UTF-8.
    """
    try:
        return read_bytes(path, limit=limit, mend=mend).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FuzzsmoothError(f"{path} is not UTF-8 text; {mend}") from error


def read_json(path: Path, *, limit: int = TABLE_BYTES, mend: str = "mend or replace it") -> Any:
    """The JSON value of a file.

    Args:
        path: The file.
        limit: Most bytes.
        mend: What to do about a bad file, as the end of the sentence.

    Raises:
        FuzzsmoothError: If it cannot be read, is larger, or is not JSON (see :func:`parse_json`).
    """
    return parse_json(read_text(path, limit=limit, mend=mend), str(path), mend=mend)


def read_json_object(
    path: Path, *, limit: int = TABLE_BYTES, mend: str = "mend or replace it"
) -> dict[str, Any]:
    """The JSON object of a file; as :func:`read_json`, and every other value is refused."""
    value = read_json(path, limit=limit, mend=mend)
    if not isinstance(value, dict):
        raise FuzzsmoothError(f"{path} holds {kind_of(value)}, not a JSON object; {mend}")
    return value


def parse_json(
    text: str | bytes, where: str, *, mend: str = "mend or replace it", missing: bool = False
) -> Any:
    """Parse JSON that nobody vouches for.

    Whatever Python's reader would answer with an error of its own, or with a number that later arithmetic
    cannot hold, is refused too: nesting beyond its stack, NaN, infinities, numbers that do not fit a float.

    Args:
        text: The JSON text, UTF-8 if bytes.
        where: What it is, for the sentence ("references.json", "answers.jsonl, line 3").
        mend: What to do about it, as the end of the sentence.
        missing: Read NaN and infinities as ``None``: tables have them for missing values.

    Raises:
        FuzzsmoothError: If it is none of this.
    """
    constant = _missing if missing else _refuse_constant
    try:
        value = json.loads(text, parse_constant=constant, parse_float=_float, parse_int=_int)
        if _is_deep(value):
            raise RecursionError
        return value
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in error.doc else ""
        reason = f"{error.msg}, {line}column {error.colno}"
    except RecursionError:
        reason = "nested too deeply"
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except ValueError as error:
        reason = str(error)
    raise FuzzsmoothError(f"{where} is not JSON ({reason}); {mend}")


def kind_of(value: object) -> str:
    """What a JSON value is, in JSON's words: "a number", "null", ..."""
    if value is None:
        return "null"
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def _is_deep(value: object) -> bool:
    """Whether lists and objects lie in each other more than ``_DEPTH`` deep."""
    level = [value]
    for _ in range(_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, list | dict)
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _missing(_name: str) -> None:
    return None


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)
