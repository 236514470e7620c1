"""Reading an untrusted checkpoint folder: nothing in it may run, and a broken file is named.

The tensors are read here and handed to transformers as a state dict, so none of its other ways of finding
weights (adapters, distributed checkpoints, files named by the configuration) is ever taken.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".distcp")
"""File endings of checkpoints that may hold pickled code."""

_SAFE_WEIGHTS, _BIN_WEIGHTS = "model.safetensors", "pytorch_model.bin"
_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
_PLAIN_ATTENTION = (None, "eager", "sdpa")
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_PARAMETER_NAMES = ("weight", "bias", "gamma", "beta")


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a file that must hold one JSON object.

    Raises:
        FuzzsmoothError: If it cannot be read or holds something else.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise FuzzsmoothError(f"{path} is not JSON; the model is damaged, fetch it again") from error
    if not isinstance(value, dict):
        raise FuzzsmoothError(f"{path} does not hold a JSON object; the model is damaged, fetch it again")
    return value


def check_configuration(folder: Path) -> None:
    """Refuse a model folder whose configuration asks for code or for weights from elsewhere.

    Raises:
        FuzzsmoothError: If ``config.json`` is missing or broken, or the folder is an adapter or quantized.
        UnsafeModelError: If the configuration or the tokenizer refers to Python code.
    """
    if (folder / "adapter_config.json").exists():
        raise FuzzsmoothError(f"{folder} holds an adapter; merge it into its base model and save that first")
    if not (folder / "config.json").is_file():
        raise FuzzsmoothError(f"{folder} has no config.json; give a folder saved with save_pretrained")
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            _check_values(folder / name, read_json_object(folder / name))


def _check_values(path: Path, content: dict[str, Any]) -> None:
    """Walk nested configurations too: a part of a composite model may have its own."""
    waiting: list[object] = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            _check_level(path, value)
            waiting.extend(value.values())


def _check_level(path: Path, value: dict[str, Any]) -> None:
    if value.get("auto_map"):
        raise UnsafeModelError(
            f"{path} wants to run Python code from the model (auto_map), which fuzzsmooth never does; "
            "use a model whose architecture is part of transformers"
        )
    if any(value.get(key) not in _PLAIN_ATTENTION for key in _ATTENTION_KEYS):
        raise UnsafeModelError(
            f"{path} names an attention kernel to be fetched and run; "
            "set attn_implementation to sdpa or remove it"
        )
    if value.get("quantization_config"):
        raise FuzzsmoothError(f"{path} describes quantized weights; use the float version of the model")


def read_tensors(folder: Path, *, allow_bin: bool = False) -> dict[str, torch.Tensor]:
    """Read all weights of a folder, on the CPU, without running anything from it.

    Args:
        folder: The model's folder: ``model.safetensors``, or its index and shards.
        allow_bin: Where there are no safetensors, read ``pytorch_model.bin`` (or its index and shards) with
            PyTorch's tensors-only unpickler.

    Raises:
        UnsafeModelError: If there are only pickle checkpoints, or a ``.bin`` holds more than tensors.
        FuzzsmoothError: If there are no weights, or a file is broken.
    """
    files = _weight_files(folder, _SAFE_WEIGHTS)
    if not files and allow_bin:
        files = _weight_files(folder, _BIN_WEIGHTS)
    if not files:
        _refuse_weightless(folder)
    tensors: dict[str, torch.Tensor] = {}
    for path in files:
        tensors.update(_read_safetensors(path) if path.suffix == ".safetensors" else _read_bin(path))
    _check_tensors(folder, tensors)
    return tensors


def _weight_files(folder: Path, name: str) -> list[Path]:
    if (folder / name).is_file():
        return [folder / name]
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return []
    shards = read_json_object(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise FuzzsmoothError(f"{index} has no weight_map; the model is damaged, fetch it again")
    names = sorted({str(shard) for shard in shards.values()})
    for shard in names:
        if Path(shard).name != shard or Path(shard).suffix != Path(name).suffix:
            raise UnsafeModelError(
                f"{index} names '{shard}', which is not a {Path(name).suffix} file of its folder"
            )
        if not (folder / shard).is_file():
            raise FuzzsmoothError(f"{index} names '{shard}', which is missing; fetch the model again")
    return [folder / shard for shard in names]


def _refuse_weightless(folder: Path) -> None:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES)
    if not pickles and not (folder / ".metadata").exists():
        raise FuzzsmoothError(f"{folder} has no {_SAFE_WEIGHTS}; give a folder saved with save_pretrained")
    shown = pickles[0] if pickles else ".metadata"
    bins = [name for name in pickles if name.startswith("pytorch_model") and name.endswith(".bin")]
    way_out = ", or set allow_bin to read only the tensors of the .bin" if bins else ""
    raise UnsafeModelError(
        f"{folder} has no {_SAFE_WEIGHTS}, only a pickle checkpoint ({shown}), which could run "
        "code when loaded; "
        f"convert it to safetensors{way_out}"
    )


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FuzzsmoothError(
            f"{path} is not a sound safetensors file ({reason}); fetch the model again"
        ) from error


def _read_bin(path: Path) -> dict[str, torch.Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeModelError(
            f"{path} holds something other than tensors, or is damaged; convert it to safetensors "
            "where you trust it"
        ) from error
    except Exception as error:  # A damaged archive fails in many ways.
        raise FuzzsmoothError(f"{path} is not a sound PyTorch checkpoint; fetch the model again") from error
    if not isinstance(content, dict) or not all(isinstance(item, torch.Tensor) for item in content.values()):
        raise UnsafeModelError(f"{path} is not a plain dictionary of tensors; convert it to safetensors")
    return {str(name): tensor for name, tensor in content.items()}


def _check_tensors(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        if name.rsplit(".", 1)[-1] in _PARAMETER_NAMES and tensor.dtype not in _FLOATS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise FuzzsmoothError(
                f"{folder}: the weight {name} has type {kind}; use the float version of the model"
            )
