"""LoRA adapters of ``peft``, merged into their base model as they are read; nothing of ``peft`` is needed.

An adapter is a folder with ``adapter_config.json`` and ``adapter_model.safetensors`` and no model. The base
model is the one that its configuration names, found and checked by the rules of any model. The weight W of a
map becomes W + (alpha / r) B A (Hu et al., arXiv 2106.09685); tensors that the adapter holds whole, such as a
classifier head, take the place of the base's or stand beside them.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import torch

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.models.checkpoint import PICKLE_SUFFIXES, Tensors, read_safetensors

CONFIG = "adapter_config.json"

_WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_PAIR = re.compile(r"(.+)\.lora_([AB])(?:\.\w+)?\.weight$")
_HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
_OTHER_WAYS = (
    "use_dora",
    "alpha_pattern",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
)
_MERGE = "merge it into its base model and save that first"


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").exists()


def base_name(folder: Path) -> str:
    """The name of the model that an adapter changes, as its configuration has it.

    Raises:
        FuzzsmoothError: If there is none, or the adapter is of a kind that is not read here.
    """
    config = _config(folder)
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise FuzzsmoothError(f"{folder / CONFIG} names no base model; {_MERGE}")
    return base


def head_rows(folder: Path) -> int | None:
    """Outputs of the classifier head that an adapter brings along; None if it brings none."""
    heads = [tensor for name, tensor in _own(folder).items() if name in _HEADS]
    return len(heads[-1]) if heads else None


def merge_adapter(folder: Path, tensors: Tensors) -> Tensors:
    """The weights of the base model with those of an adapter in or beside them.

    Args:
        folder: The adapter's folder.
        tensors: The weights of the base model, by name; those that are changed are copied.

    Raises:
        UnsafeModelError: If there is only a pickled adapter.
        FuzzsmoothError: If the adapter is damaged, of another base model, or of a kind that is not read here.
    """
    config, merged = _config(folder), dict(tensors)
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in _own(folder).items():
        found = _PAIR.fullmatch(name)
        if found:
            pairs.setdefault(found[1], {})[found[2]] = tensor
        elif "lora_" in name:
            raise FuzzsmoothError(f"{folder}: the adapter changes more than linear maps ({name}); {_MERGE}")
        else:
            merged[name] = tensor
    require(bool(pairs), f"{folder}: the adapter changes nothing; save it again")
    for name, pair in pairs.items():
        weight = merged.get(f"{name}.weight")
        if weight is None:
            raise FuzzsmoothError(
                f"{folder}: the adapter changes {short_name(name)}, which its base model has not; check "
                f"base_model_name_or_path in {CONFIG}"
            )
        merged[f"{name}.weight"] = weight + _change(pair, weight, config, f"{folder}: {short_name(name)}")
    return merged


def _change(pair: Tensors, weight: torch.Tensor, config: dict[str, Any], where: str) -> torch.Tensor:
    """(alpha / r) B A, in the number type of the weight."""
    down, up = pair.get("A"), pair.get("B")
    sound = (
        down is not None
        and up is not None
        and down.dim() == up.dim() == weight.dim() == 2
        and len(down) == up.size(1)
        and down.is_floating_point()
        and up.is_floating_point()
    )
    require(sound, f"{where} has no sound pair of adapter matrices; fetch the adapter again")
    assert down is not None
    assert up is not None
    rank, alpha = len(down), config["lora_alpha"]
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    change: torch.Tensor = (up.double() @ down.double()) * scale
    if config.get("fan_in_fan_out"):
        change = change.T
    require(
        change.shape == weight.shape,
        f"{where} has shape {list(weight.shape)} in the base model, but the adapter is for "
        f"{list(change.shape)}; check base_model_name_or_path in {CONFIG}",
    )
    return change.to(weight.dtype)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    config = read_json_object(path, limit=CONFIGURATION_BYTES, mend="fetch the adapter again")
    kind = short_name(str(config.get("peft_type")))
    require(kind == "LORA", f"{path}: an adapter of type {kind} cannot be read here, only LORA; {_MERGE}")
    other = [name for name in _OTHER_WAYS if config.get(name)]
    require(not other, f"{path}: an adapter with {' and '.join(other)} cannot be read here; {_MERGE}")
    alpha = config.get("lora_alpha")
    sound = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    require(sound, f"{path}: lora_alpha is no number; fetch the adapter again")
    return config


def _own(folder: Path) -> Tensors:
    """The adapter's tensors, under the names that the base model has for them."""
    path = folder / _WEIGHTS
    if not path.is_file():
        pickles = sorted(one.name for one in folder.iterdir() if one.suffix in PICKLE_SUFFIXES)
        if pickles:
            raise UnsafeModelError(
                f"{folder} has no {_WEIGHTS}, only a pickle ({short_name(pickles[0])}), which could run code "
                "when loaded; convert it to safetensors"
            )
        raise FuzzsmoothError(f"{folder} has {CONFIG} but no {_WEIGHTS}; fetch the adapter again")
    named = {}
    for name, tensor in read_safetensors(path).items():
        name = name.removeprefix(_PREFIX).replace(".modules_to_save.", ".").replace(".base_layer.", ".")
        named[name] = tensor
    return named
