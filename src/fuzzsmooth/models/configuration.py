"""Checking an untrusted model's configuration before anything is built or loaded from it. No torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.models.tokenizer_files import TOKENIZER_BYTES

MEND = "the model is damaged, fetch it again"
"""What to do about a file of a model that is not sound."""

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".distcp")
"""File endings of checkpoints that may hold pickled code."""

REPLACED_ATTENTION = ("flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention")
"""Attention kernels of other packages, named by those who train with them; the default computes the same."""

_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
_PLAIN_ATTENTION = (None, "eager", "sdpa")

# What a configuration counts in loops before its weights are compared with it: names like num_hidden_layers.
_COUNT = re.compile(r"layer|block|label|expert|head|group")
_MOST = 100_000
_LARGEST = 2**40  # of any whole number


def check_configuration(folder: Path) -> None:
    """Refuse a model folder whose configuration asks for code, for weights from elsewhere, or for too much.

    Raises:
        FuzzsmoothError: If ``config.json`` is missing or broken, there is an adapter beside it, or a number
            is out of all proportion.
        UnsafeModelError: If the configuration or the tokenizer refers to Python code.
    """
    if not (folder / "config.json").exists():
        raise FuzzsmoothError(f"{folder} has no config.json; give a folder saved with save_pretrained")
    if (folder / "adapter_config.json").exists() and any(folder.glob("adapter_model.*")):
        raise FuzzsmoothError(
            f"{folder} holds an adapter beside a model; merge it into its base model and save that, or "
            "remove its files if they are left over"
        )
    content = read_json_object(folder / "config.json", limit=CONFIGURATION_BYTES, mend=MEND)
    _check_values(folder / "config.json", content)
    _check_numbers(folder / "config.json", content)
    path = folder / "tokenizer_config.json"
    if path.exists():
        _check_values(path, read_json_object(path, limit=TOKENIZER_BYTES, mend=MEND))


def _check_values(path: Path, content: dict[str, Any]) -> None:
    """Walk nested configurations too: a part of a composite model may have its own."""
    for value in levels(content):
        _check_level(path, value)


def levels(content: dict[str, Any]) -> list[dict[str, Any]]:
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
    if any(value.get(key) not in (*_PLAIN_ATTENTION, *REPLACED_ATTENTION) for key in _ATTENTION_KEYS):
        raise UnsafeModelError(
            f"{path} names an attention kernel to be fetched and run; "
            "set attn_implementation to sdpa or remove it"
        )


def _check_numbers(path: Path, content: dict[str, Any]) -> None:
    for level in levels(content):
        for key, value in level.items():
            most = _MOST if _COUNT.search(str(key)) else _LARGEST
            if isinstance(value, int) and abs(value) > most:
                raise FuzzsmoothError(
                    f"{path}: {short_name(str(key))} is {value:.4g}, more than any model has; {MEND}"
                )
