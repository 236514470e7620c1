"""What a LoRA adapter of ``peft`` says of itself: its base model, and the head it brings along. No torch.

An adapter is a folder with ``adapter_config.json`` and ``adapter_model.safetensors`` and no model. The base
model is the one that its configuration names, found and checked by the rules of any model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.models.configuration import PICKLE_SUFFIXES

CONFIG = "adapter_config.json"
MERGE = "merge it into its base model and save that first"
"""What to do about an adapter of another kind."""

_WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
_OTHER_WAYS = (
    "use_dora",
    "alpha_pattern",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").exists()


def base_name(folder: Path) -> str:
    """The name of the model that an adapter changes, as its configuration has it.

    Raises:
        FuzzsmoothError: If there is none, or the adapter is of a kind that is not read here.
    """
    base = adapter_config(folder).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise FuzzsmoothError(f"{folder / CONFIG} names no base model; {MERGE}")
    return base


def head_rows(folder: Path) -> int | None:
    """Outputs of the classifier head that an adapter brings along; None if it brings none.

    Raises:
        FuzzsmoothError: If its file is missing or broken.
    """
    path = adapter_weights(folder)
    try:
        with safe_open(path, framework="numpy") as tensors:
            shapes = {base_key(name): tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise FuzzsmoothError(f"{path} is not a sound safetensors file; fetch the adapter again") from error
    heads = [shape for name, shape in shapes.items() if name in _HEADS and len(shape) == 2]
    return int(heads[-1][0]) if heads else None


def base_key(name: str) -> str:
    """The name that the base model has for a tensor of an adapter."""
    return name.removeprefix(_PREFIX).replace(".modules_to_save.", ".").replace(".base_layer.", ".")


def adapter_config(folder: Path) -> dict[str, Any]:
    """What an adapter says of itself.

    Raises:
        FuzzsmoothError: If it cannot be read, or is of a kind that is not merged here.
    """
    path = folder / CONFIG
    config = read_json_object(path, limit=CONFIGURATION_BYTES, mend="fetch the adapter again")
    kind = short_name(str(config.get("peft_type")))
    require(kind == "LORA", f"{path}: an adapter of type {kind} cannot be read here, only LORA; {MERGE}")
    other = [name for name in _OTHER_WAYS if config.get(name)]
    require(not other, f"{path}: an adapter with {' and '.join(other)} cannot be read here; {MERGE}")
    alpha = config.get("lora_alpha")
    sound = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    require(sound, f"{path}: lora_alpha is no number; fetch the adapter again")
    return config


def adapter_weights(folder: Path) -> Path:
    """The file of an adapter's tensors.

    Raises:
        UnsafeModelError: If there is only a pickle.
        FuzzsmoothError: If there is none.
    """
    path = folder / _WEIGHTS
    if path.is_file():
        return path
    pickles = sorted(one.name for one in folder.iterdir() if one.suffix in PICKLE_SUFFIXES)
    if pickles:
        raise UnsafeModelError(
            f"{folder} has no {_WEIGHTS}, only a pickle ({short_name(pickles[0])}), which could run code "
            "when loaded; convert it to safetensors"
        )
    raise FuzzsmoothError(f"{folder} has {CONFIG} but no {_WEIGHTS}; fetch the adapter again")
