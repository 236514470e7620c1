"""Tensors of the Open Inference Protocol: as JSON, and as Triton's binary extension packs them.

A packed body is JSON followed by raw bytes; the header ``Inference-Header-Content-Length`` tells where the
JSON ends, and ``parameters.binary_data_size`` of a tensor how many bytes are its own, in the order of the
tensors. Each element of BYTES is its length in 4 bytes, little-endian, and then itself.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from fuzzsmooth.apps.service.protocols.protocol import Reply
from fuzzsmooth.apps.service.refusal import malformed
from fuzzsmooth.common.reading import kind_of

HEADER = "inference-header-content-length"
"""Where the JSON of a packed body ends, in bytes."""

DATATYPES: Mapping[str, str] = {"label": "BYTES", "score": "FP32", "certificate": "BYTES", "radius": "INT64"}
"""The outputs."""

_FORMATS = {"FP32": "f", "INT64": "q"}
_SIZE = "binary_data_size"
_LARGE = 2**31


def split(body: bytes, header: str | None) -> tuple[bytes, bytes]:
    """The JSON of a body, and the raw bytes after it.

    Raises:
        Refusal: If the header is no number of bytes that are there.
    """
    if header is None:
        return body, b""
    if not (header.isascii() and header.isdecimal()) or int(header[:20]) > len(body):
        raise malformed("Inference-Header-Content-Length must be the bytes of the JSON at the body's start")
    end = int(header)
    return body[:end], body[end:]


def texts_of(tensor: Mapping[str, Any], rest: bytes) -> list[str]:
    """The texts of an input, which is the only one.

    Args:
        tensor: Its JSON.
        rest: The raw bytes after the JSON.

    Raises:
        Refusal: If it is not a tensor of texts whose shape fits its data.
    """
    if tensor.get("datatype") != "BYTES":
        raise malformed(f"input 'text' has datatype {tensor.get('datatype')!r:.60}; it must be BYTES")
    count = _count(tensor.get("shape"))
    parameters = tensor.get("parameters", {})
    if not isinstance(parameters, dict):
        raise malformed("'parameters' of input 'text' must be an object")
    if _SIZE in parameters:
        texts = _unpacked(rest, parameters[_SIZE], count)
    else:
        texts = _flat(tensor.get("data"))
        if rest:
            raise malformed("the body has raw bytes that belong to no input; set its 'binary_data_size'")
    if len(texts) != count:
        raise malformed(f"input 'text' has {len(texts)} texts where its shape says {count}")
    return texts


def packed(
    reply: Mapping[str, Any],
    outputs: Sequence[tuple[str, list[int], list[Any]]],
    *,
    binary: Sequence[str],
) -> Reply:
    """The response with its outputs.

    Args:
        reply: Its other fields.
        outputs: Name, shape and flat values of each.
        binary: Names of those that are packed.
    """
    told, raw = [], []
    for name, shape, values in outputs:
        tensor: dict[str, Any] = {"name": name, "shape": shape, "datatype": DATATYPES[name]}
        if name in binary:
            raw.append(_packed(values, DATATYPES[name]))
            tensor["parameters"] = {_SIZE: len(raw[-1])}
        else:
            tensor["data"] = values
        told.append(tensor)
    content = {**reply, "outputs": told}
    if not raw:
        return Reply(content)
    head = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return Reply(head + b"".join(raw), headers=headers)


def _count(shape: object) -> int:
    sizes = shape if isinstance(shape, list) else []
    if not sizes or not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in sizes):
        raise malformed("input 'text' needs a 'shape' of whole numbers, such as [2]")
    if any(one != 1 for one in sizes[1:]) or sizes[0] >= _LARGE:
        raise malformed(f"input 'text' has shape {sizes!r:.60}; it must be [n] or [n, 1]")
    return math.prod(sizes)


def _flat(data: object) -> list[str]:
    """Texts of a list, or of lists of one each; row-major, as the protocol has them."""
    found: list[str] = []
    for one in data if isinstance(data, list) else [data]:
        inner = one if isinstance(one, list) else [one]
        for text in inner:
            if not isinstance(text, str):
                raise malformed(f"'data' of input 'text' holds {kind_of(text)}; it must be a list of strings")
            found.append(text)
    return found


def _unpacked(raw: bytes, size: object, count: int) -> list[str]:
    if size != len(raw) or isinstance(size, bool):
        raise malformed(f"'binary_data_size' is {size!r:.60} where {len(raw)} bytes follow the JSON")
    texts: list[str] = []
    place = 0
    while place < len(raw) and len(texts) <= count:
        if place + 4 > len(raw):
            raise malformed("the raw bytes of input 'text' end within a length")
        (length,) = struct.unpack_from("<I", raw, place)
        place += 4
        if place + length > len(raw):
            raise malformed("the raw bytes of input 'text' end within a text")
        try:
            texts.append(raw[place : place + length].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise malformed(f"text {len(texts)} of input 'text' is not UTF-8") from error
        place += length
    return texts


def _packed(values: Sequence[Any], datatype: str) -> bytes:
    if datatype != "BYTES":
        return struct.pack(f"<{len(values)}{_FORMATS[datatype]}", *values)
    parts = [value.encode("utf-8", "surrogatepass") for value in values]
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)
