"""LoRA adapters of ``peft``, merged into their base model as they are read; nothing of ``peft`` is needed.

The weight W of a map becomes W + (alpha / r) B A (Hu et al., arXiv 2106.09685); tensors that the adapter
holds whole, such as a classifier head, take the place of the base's or stand beside them.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.adapter import CONFIG, MERGE, adapter_config, adapter_weights, base_key
from fuzzsmooth.models.checkpoint import Tensors, read_safetensors

_PAIR = re.compile(r"(.+)\.lora_([AB])(?:\.\w+)?\.weight$")


def merge_adapter(folder: Path, tensors: Tensors) -> Tensors:
    """The weights of the base model with those of an adapter in or beside them.

    Args:
        folder: The adapter's folder.
        tensors: The weights of the base model, by name; those that are changed are copied.

    Raises:
        UnsafeModelError: If there is only a pickled adapter.
        FuzzsmoothError: If the adapter is damaged, of another base model, or of a kind that is not read here.
    """
    config, merged = adapter_config(folder), dict(tensors)
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in read_safetensors(adapter_weights(folder)).items():
        name = base_key(name)
        found = _PAIR.fullmatch(name)
        if found:
            pairs.setdefault(found[1], {})[found[2]] = tensor
        elif "lora_" in name:
            raise FuzzsmoothError(f"{folder}: the adapter changes more than linear maps ({name}); {MERGE}")
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
