"""Reading an untrusted checkpoint folder: nothing in it may run, and a broken file is named.

The tensors are read here and handed to transformers as a state dict, so none of its other ways of finding
weights (adapters, distributed checkpoints, files named by the configuration) is ever taken.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.models.tokenizer_files import TOKENIZER_BYTES

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".distcp")
"""File endings of checkpoints that may hold pickled code."""

_SAFE_WEIGHTS, _BIN_WEIGHTS = "model.safetensors", "pytorch_model.bin"
_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
_PLAIN_ATTENTION = (None, "eager", "sdpa")
# Named by those who train with them; they need other packages, and the default computes the same.
_REPLACED_ATTENTION = ("flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention")
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_PARAMETER_NAMES = ("weight", "bias", "gamma", "beta")
_MASK_DIMENSIONS = 4  # causal masks, which older checkpoints store under the name "bias"
_WRAPPERS = ("_orig_mod.", "module.")
_MEND = "the model is damaged, fetch it again"

# What a configuration counts in loops before its weights are compared with it: names like num_hidden_layers.
_COUNT = re.compile(r"layer|block|label|expert|head|group")
_MOST = 100_000
_LARGEST = 2**40  # of any whole number


def check_configuration(folder: Path) -> None:
    """Refuse a model folder whose configuration asks for code, for weights from elsewhere, or for too much.

    Raises:
        FuzzsmoothError: If ``config.json`` is missing or broken, the folder is an adapter, or a number is out
            of all proportion.
        UnsafeModelError: If the configuration or the tokenizer refers to Python code.
    """
    if not (folder / "config.json").exists():
        _refuse_unconfigured(folder)
    if (folder / "adapter_config.json").exists() and any(folder.glob("adapter_model.*")):
        raise FuzzsmoothError(
            f"{folder} holds an adapter beside a model; merge it into its base model and save that, or "
            "remove its files if they are left over"
        )
    content = read_json_object(folder / "config.json", limit=CONFIGURATION_BYTES, mend=_MEND)
    _check_values(folder / "config.json", content)
    _check_numbers(folder / "config.json", content)
    path = folder / "tokenizer_config.json"
    if path.exists():
        _check_values(path, read_json_object(path, limit=TOKENIZER_BYTES, mend=_MEND))


def _refuse_unconfigured(folder: Path) -> None:
    if (folder / "adapter_config.json").exists():
        raise FuzzsmoothError(f"{folder} holds an adapter; merge it into its base model and save that first")
    raise FuzzsmoothError(f"{folder} has no config.json; give a folder saved with save_pretrained")


def _check_values(path: Path, content: dict[str, Any]) -> None:
    """Walk nested configurations too: a part of a composite model may have its own."""
    for value in _levels(content):
        _check_level(path, value)


def _levels(content: dict[str, Any]) -> list[dict[str, Any]]:
    """An object and all objects inside it."""
    found: list[dict[str, Any]] = []
    waiting: list[object] = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            found.append(value)
            waiting.extend(value.values())
    return found


def _check_level(path: Path, value: dict[str, Any]) -> None:
    if value.get("auto_map"):
        raise UnsafeModelError(
            f"{path} wants to run Python code from the model (auto_map), which fuzzsmooth never does; "
            "use a model whose architecture is part of transformers"
        )
    if any(value.get(key) not in (*_PLAIN_ATTENTION, *_REPLACED_ATTENTION) for key in _ATTENTION_KEYS):
        raise UnsafeModelError(
            f"{path} names an attention kernel to be fetched and run; "
            "set attn_implementation to sdpa or remove it"
        )


def _check_numbers(path: Path, content: dict[str, Any]) -> None:
    for level in _levels(content):
        for key, value in level.items():
            most = _MOST if _COUNT.search(str(key)) else _LARGEST
            if isinstance(value, int) and abs(value) > most:
                raise FuzzsmoothError(
                    f"{path}: {short_name(str(key))} is {value:.4g}, more than any model has; {_MEND}"
                )


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
    if config._attn_implementation in _REPLACED_ATTENTION:
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
        tensors.update(_read_safetensors(path) if path.suffix == ".safetensors" else _read_bin(path))
    _check_tensors(folder, tensors)
    return unwrapped(tensors)


def _weight_files(folder: Path, name: str) -> list[Path]:
    if (folder / name).is_file():
        return [folder / name]
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return []
    shards = read_json_object(index, mend=_MEND).get("weight_map")
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
    if (folder / "adapter_config.json").exists():
        raise FuzzsmoothError(f"{folder} holds an adapter; merge it into its base model and save that first")
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
