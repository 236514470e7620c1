"""Reading an untrusted checkpoint folder: nothing in it may run, and a broken file is named.

The tensors are read here and handed to transformers as a state dict, so none of its other ways of finding
weights (adapters, distributed checkpoints, files named by the configuration) is ever taken.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.models.configuration import MEND, PICKLE_SUFFIXES, REPLACED_ATTENTION

Tensors = dict[str, torch.Tensor]
"""Weights, by name."""

_SAFE_WEIGHTS, _BIN_WEIGHTS = "model.safetensors", "pytorch_model.bin"
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_PARAMETER_NAMES = ("weight", "bias", "gamma", "beta")
_MASK_DIMENSIONS = 4  # causal masks, which older checkpoints store under the name "bias"
_WRAPPERS = ("_orig_mod.", "module.")


def settle_configuration(config: Any, tensors: dict[str, torch.Tensor]) -> int | None:
    """Take out of a loaded configuration what fuzzsmooth answers for itself.

    Attention kernels of other packages give way to PyTorch's own; a description of quantized weights that
    were made float again is left over; BigBird would switch its attention by the lengths it has met before.

    Args:
        config: The configuration, changed in place.
        tensors: The checkpoint's weights.

    Returns:
        The number of tokens from which on sparse attention was replaced by full attention, if it was.

    Raises:
        FuzzsmoothError: If the weights are quantized.
    """
    if config._attn_implementation in REPLACED_ATTENTION:
        config._attn_implementation = None
    if getattr(config, "quantization_config", None):
        packed = sorted(name for name, tensor in tensors.items() if _is_packed(name, tensor))
        if packed:
            raise FuzzsmoothError(
                f"config.json describes quantized weights (such as {short_name(packed[0])}); "
                "use the float version of the model"
            )
        del config.quantization_config
    if getattr(config, "attention_type", None) != "block_sparse":
        return None
    config.attention_type = "original_full"
    return (5 + 2 * int(config.num_random_blocks)) * int(config.block_size)


def _is_packed(name: str, tensor: torch.Tensor) -> bool:
    """Whether a tensor is part of a quantized weight."""
    last = name.rsplit(".", 1)[-1]
    scale = last in ("scales", "weight_scale", "weight_scale_inv", "SCB", "absmax", "quant_map")
    masked = tensor.dtype == torch.bool or tensor.dim() >= _MASK_DIMENSIONS or "ids" in last
    return scale or (tensor.dtype not in _FLOATS and not masked)


def unwrapped(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under the names that they have outside a compiled or parallel model."""
    while tensors:
        found = [prefix for prefix in _WRAPPERS if all(name.startswith(prefix) for name in tensors)]
        if not found:
            break
        tensors = {name.removeprefix(found[0]): tensor for name, tensor in tensors.items()}
    return tensors


def wrapper_of(tensors: dict[str, torch.Tensor]) -> str | None:
    """The prefix with which wrapped models are saved, if some tensors have it."""
    return next((prefix for prefix in _WRAPPERS if any(prefix in name for name in tensors)), None)


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
        tensors.update(read_safetensors(path) if path.suffix == ".safetensors" else _read_bin(path))
    _check_tensors(folder, tensors)
    return unwrapped(tensors)


def _weight_files(folder: Path, name: str) -> list[Path]:
    if (folder / name).is_file():
        return [folder / name]
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return []
    shards = read_json_object(index, mend=MEND).get("weight_map")
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


def read_safetensors(path: Path) -> Tensors:
    """All tensors of a file, on the CPU.

    Raises:
        FuzzsmoothError: If it cannot be read, or is broken.
    """
    try:
        with open(path, "rb"):
            pass  # safetensors tells of a missing permission as of a missing file
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}; make the file readable") from error
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
        mask = tensor.dtype == torch.bool or tensor.dim() >= _MASK_DIMENSIONS
        if name.rsplit(".", 1)[-1] in _PARAMETER_NAMES and tensor.dtype not in _FLOATS and not mask:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise FuzzsmoothError(
                f"{folder}: the weight {name} has type {kind}; use the float version of the model"
            )
