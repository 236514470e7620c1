"""Reads the file that Weights & Biases writes in place of asking its server, by its own protocol buffers."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 32768
_HEAD = struct.Struct("<4sHB")  # mark, magic number, version
_PIECE = struct.Struct("<IHB")  # checksum, length, kind
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def logged(path: Path) -> list[dict[str, float]]:
    """What was given to ``wandb.log``, one mapping per step, by the names that a reader sees.

    Args:
        path: A file ``run-ID.wandb``.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for content in _records(path.read_bytes()):
        record = Record.FromString(content)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({one.key or ".".join(one.nested_key): json.loads(one.value_json) for one in items})
    return rows


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a file in the form of LevelDB's log: pieces in blocks, none across the end of one."""
    assert _HEAD.unpack_from(data) == (b":W&B", 0xBEE1, 0), "another version of the file"
    at, parts = _HEAD.size, b""
    while at < len(data):
        if (left := _BLOCK - at % _BLOCK) < _PIECE.size:
            at += left
            continue
        checksum, length, kind = _PIECE.unpack_from(data, at)
        piece = data[at + _PIECE.size : at + _PIECE.size + length]
        assert zlib.crc32(piece, zlib.crc32(bytes([kind]))) == checksum, f"damaged at byte {at}"
        at += _PIECE.size + length
        parts = piece if kind in (_FULL, _FIRST) else parts + piece
        if kind in (_FULL, _LAST):
            yield parts
