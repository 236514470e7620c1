"""The arithmetic of forward passes in training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from fuzzsmooth.models.devices import Precision


def arithmetic(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which forward passes multiply in ``precision``; the weights stay float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
