"""Weights of strangers: safetensors with odd headers, types, values and shards."""

from __future__ import annotations

import json
from typing import Any

import torch
from hypothesis import strategies as st
from safetensors.torch import load, save

from hostile_inputs import damaged, damaged_bytes, pick

Files = dict[str, Any]

_WEIGHTS = "model.safetensors"
_TYPES = [
    "F16",
    "BF16",
    "F64",
    "I8",
    "U8",
    "BOOL",
    "F8_E4M3",
    "F8_E5M2",
    "F4",
    "F8_E8M0",
    "C64",
    "I64",
    "U16",
    "odd",
]
_SHAPES: tuple[Any, ...] = ([], [0], [1, 1], [-1], [2**62, 2**62], [8, 8], [1.5], "x")
_VALUES = (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\x01\0\0\0")  # NaN, infinity, huge, tiny


def edit_weights(draw: st.DrawFn, files: Files) -> None:
    """Change something about the weights."""
    edit = pick(draw, _edit_header, _edit_header, _convert, _overwrite, _damage, _cut_into_shards)
    edit(draw, files)


def _edit_header(draw: st.DrawFn, files: Files) -> None:
    header, data = _parts(files)
    name = pick(draw, *_names(header))
    how = pick(draw, "type", "shape", "name", "lose", "size", "any")
    if how == "type":
        header[name]["dtype"] = pick(draw, *_TYPES)
    elif how == "shape":
        header[name]["shape"] = pick(draw, *_SHAPES)
    elif how == "name":
        other = pick(
            draw, f"module.{name}", f"{name}.scales", "", "\u202e", "x" * 3000, "classifier.dense.weight"
        )
        header[other] = header.pop(name)
    elif how == "lose":
        del header[name]
    text = draw(damaged(header)) if how == "any" else json.dumps(header).encode()
    size = pick(draw, 0, 1, 2**31, 2**63) if how == "size" else len(text)
    files[_WEIGHTS] = size.to_bytes(8, "little") + text + data


def _convert(draw: st.DrawFn, files: Files) -> None:
    """Some tensors in another type."""
    tensors = load(files[_WEIGHTS])
    kind = pick(draw, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool)
    for name in draw(st.lists(st.sampled_from(sorted(tensors)), min_size=1)):
        tensors[name] = tensors[name].to(kind)
    files[_WEIGHTS] = save(tensors)


def _overwrite(draw: st.DrawFn, files: Files) -> None:
    """Some weights with odd values."""
    content, (_, data) = files[_WEIGHTS], _parts(files)
    start = len(content) - len(data) + 4 * draw(st.integers(0, len(data) // 4 - 1))
    count = pick(draw, 1, 100, len(data) // 4)
    values = (pick(draw, *_VALUES) * count)[: len(content) - start]
    files[_WEIGHTS] = content[:start] + values + content[start + len(values) :]


def _damage(draw: st.DrawFn, files: Files) -> None:
    files[_WEIGHTS] = draw(damaged_bytes(files[_WEIGHTS]))


def _cut_into_shards(draw: st.DrawFn, files: Files) -> None:
    shard = "model-00001-of-00001.safetensors"
    places = dict.fromkeys(_names(_parts(files)[0]), shard)
    if draw(st.booleans()):
        odd = pick(draw, "missing.safetensors", "../model.safetensors", "config.json", "", "evil.bin")
        places[pick(draw, *places)] = odd
    index = {"metadata": {"total_size": 5}, "weight_map": places}
    files[shard] = files.pop(_WEIGHTS)
    files[f"{_WEIGHTS}.index.json"] = draw(st.one_of(st.just(json.dumps(index).encode()), damaged(index)))


def _parts(files: Files) -> tuple[dict[str, Any], bytes]:
    content = files[_WEIGHTS]
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _names(header: dict[str, Any]) -> list[str]:
    return sorted(set(header) - {"__metadata__"})
