"""What is let in: bodies, texts and tokens within their limits."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from fuzzsmooth.apps.service.refusal import Refusal, malformed
from fuzzsmooth.common.credentials import is_token, read_tokens

_TYPES = ("application/json", "application/octet-stream")


class Tokens:
    """The bearer tokens that are accepted; any request is, if there are none.

    Args:
        tokens: They.
    """

    def __init__(self, tokens: Sequence[str] = ()) -> None:
        self._tokens = tuple(tokens)

    @classmethod
    def of_file(cls, file: str) -> Tokens:
        """Read one token a line; several allow to change them without an interruption.

        Raises:
            FuzzsmoothError: If others may read the file, or it holds no tokens.
        """
        return cls(read_tokens(Path(file)))

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def check(self, headers: Mapping[str, str]) -> None:
        """Let a request in.

        Raises:
            Refusal: 401, if it has no token, or a wrong one.
        """
        if not self._tokens:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_token(given.strip(), self._tokens):
            raise Refusal(
                401,
                "token",
                "a valid token is needed; send it as 'Authorization: Bearer TOKEN'",
                headers={"WWW-Authenticate": "Bearer"},
            )


async def read_body(chunks: AsyncIterator[bytes], headers: Mapping[str, str], limit: int) -> bytes:
    """The body of a request, unpacked.

    Args:
        chunks: As it comes in.
        headers: Names in lower case.
        limit: Bytes at most, as sent and unpacked.

    Raises:
        Refusal: If it is too large, packed in an unknown way, damaged, or of another type.
    """
    kind = headers.get("content-type", _TYPES[0]).partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise Refusal(415, "type", f"Content-Type must be {' or '.join(_TYPES)}")
    length = headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length[:20]) > limit:
        raise _too_large(limit)
    unpack = _Unpacking(headers.get("content-encoding", "identity").strip().lower(), limit)
    parts, size = [], 0
    async for chunk in chunks:
        part = unpack(chunk)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    unpack.finish()
    return b"".join(parts)


def check_texts(texts: Sequence[str], longest: int) -> None:
    """Refuse texts that are too long, or no texts.

    Raises:
        Refusal: Naming the first of them.
    """
    for index, text in enumerate(texts):
        if len(text) > longest:
            raise Refusal(
                413, "length", f"text {index} has {len(text):,} characters; {longest:,} at most are read"
            )
        check_unicode(text, f"text {index}")


def check_unicode(text: str, what: str) -> None:
    """Refuse a string that cannot be written as UTF-8.

    Raises:
        Refusal: If it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise malformed(f"{what} is not valid Unicode; it holds half of a surrogate pair") from error


class _Unpacking:
    """Unpacks chunk by chunk, never more than is allowed."""

    def __init__(self, encoding: str, limit: int) -> None:
        # Deflate comes with the header of zlib, gzip with its own; 32 tells them apart.
        known = encoding in ("gzip", "deflate")
        if not known and encoding not in ("", "identity"):
            raise Refusal(415, "encoding", "Content-Encoding must be gzip, deflate or identity")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if known else None
        self._limit, self._taken = limit, 0

    def __call__(self, chunk: bytes) -> bytes:
        if self._inflate is None or not chunk:
            return chunk
        self._taken += len(chunk)
        if self._taken > self._limit:
            raise _too_large(self._limit)
        if self._inflate.eof:
            raise _unpackable()
        try:
            part = self._inflate.decompress(chunk, self._limit + 1)
        except zlib.error as error:
            raise _unpackable() from error
        if self._inflate.unused_data:
            raise _unpackable()
        if self._inflate.unconsumed_tail:
            raise _too_large(self._limit)
        return part

    def finish(self) -> None:
        if self._inflate is not None and not self._inflate.eof:
            raise malformed("the packed body ends too early")


def _unpackable() -> Refusal:
    return malformed("the body is not packed as its Content-Encoding says")


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "body", f"the body is larger than {limit // 1024:,} KiB; send fewer or shorter texts")
