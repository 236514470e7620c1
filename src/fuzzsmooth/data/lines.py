"""The bytes of a text file as lines, with the place of every byte that cannot be decoded."""

from __future__ import annotations

import codecs
import io
import itertools
import os
from pathlib import Path

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import open_regular
from fuzzsmooth.data.wording import shown

DATA_BYTES = 4 * 2**30
"""Most bytes of a file of texts; all of them are in memory at once."""


def local_path(name: str | Path) -> Path:
    """The path that a user names.

    Raises:
        FuzzsmoothError: If there can be no such path.
    """
    try:
        path = Path(name).expanduser()
        path.exists()  # raises if the name is too long
    except (OSError, RuntimeError) as error:  # RuntimeError: no such user
        raise FuzzsmoothError(f"there is no file {shown(name)}; check the path") from error
    require("\0" not in str(path), f"there is no file {shown(name)}; check the path")
    return path


def read_bytes(path: Path) -> bytes:
    """The content of a file that must exist and not be empty."""
    require(not path.is_dir(), f"{path} is a folder; name a file in it")
    require(path.exists(), f"there is no file {path}; check the path")
    with open_regular(path, mend="give a file of texts, or - for what is piped") as stream:
        size = os.fstat(stream.fileno()).st_size
        require(size <= DATA_BYTES, f"{path} is larger than {DATA_BYTES // 2**30} GiB; split it")
        content = stream.read(size)  # what is appended meanwhile is left
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise FuzzsmoothError(f"{path} is empty; it needs at least one row")
    return content


class Lines:
    """Decoded lines, line ends kept, that know where bytes were not UTF-8.

    Such bytes stand in the text as the lone surrogates of ``surrogateescape``, so that one bad row does
    not take the file with it.
    """

    def __init__(self, text: str, source: str, start: int) -> None:
        self.source = source
        self.text = text
        # newline="" splits at \n, \r\n and \r only; str.splitlines would also split at U+2028 in a text.
        self.lines = list(io.StringIO(text, newline=""))
        self._clean = not any("\udc80" <= character <= "\udcff" for character in set(text))
        self._offsets: list[int] = []
        if not self._clean:
            sizes = (len(_escaped(line)) for line in self.lines)
            self._offsets = list(itertools.accumulate(sizes, initial=start))

    def peek(self) -> str:
        """The first character that is not white space."""
        return self.text.lstrip()[:1]

    def problem(self, first: int, last: int) -> str:
        """What is wrong with the bytes of lines ``first`` (from 0) to ``last`` (excluded), if anything."""
        raw = "".join(self.lines[first:last])
        if "\0" in raw:
            return "it has a NUL byte; delete the byte or save the file as UTF-8"
        if self._clean:
            return ""
        for position, character in enumerate(raw):
            if "\udc80" <= character <= "\udcff":
                offset = self._offsets[first] + len(_escaped(raw[:position]))
                byte = ord(character) - 0xDC00
                return f"byte 0x{byte:02x} at offset {offset} is not UTF-8; save the file as UTF-8"
        return ""


def decode_lines(content: bytes, source: str) -> Lines:
    """Decode UTF-8, with or without byte order mark.

    Raises:
        FuzzsmoothError: For UTF-16 and UTF-32, recognized by their byte order mark.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FuzzsmoothError(f"{source} is UTF-16 (byte offset 0), not UTF-8; save it as UTF-8")
    start = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    return Lines(content[start:].decode("utf-8", "surrogateescape"), source, start)


def _escaped(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
