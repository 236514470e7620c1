"""The hash that names a model in results and caches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch

# What saving and loading change although the outputs stay the same, and the names hashed by themselves.
_INCIDENTAL = {
    "_name_or_path",
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "problem_type",
    "tokenizer_class",
    "torch_dtype",
    "transformers_version",
}


def model_fingerprint(model: Any, tokenizer: Any, labels: Sequence[str], max_length: int) -> str:
    """SHA-256 (hex) over what determines a classifier's outputs.

    Args:
        model: The model; all tensors of its state dict enter, in the order of their names, with their types
            and shapes, and the values of its configuration.
        tokenizer: Its vocabulary and, for a fast tokenizer, its rules enter.
        labels: Class names, in order.
        max_length: Where texts are cut.
    """
    config = {key: value for key, value in model.config.to_dict().items() if key not in _INCIDENTAL}
    header = {
        "class": type(model).__name__,
        "config": config,
        "labels": list(labels),
        "max_length": max_length,
        "tokenizer": _tokenizer_state(tokenizer),
    }
    digest = hashlib.sha256(json.dumps(header, sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
    state: dict[str, torch.Tensor] = model.state_dict()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tokenizer_state(tokenizer: Any) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return tokenizer.get_vocab()
    rules = json.loads(backend.to_str())
    # Switches that every call sets anew.
    return {key: value for key, value in rules.items() if key not in ("truncation", "padding")}
