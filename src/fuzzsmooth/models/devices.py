"""Which device and which number type to compute with."""

from __future__ import annotations

from typing import Literal

import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.protocol import Precision


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        FuzzsmoothError: If there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # of "meta" nothing comes back
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise FuzzsmoothError(
            f"there is no device '{name}' here; give auto, cpu or one that PyTorch finds"
        ) from error
    return device


def choose_precision(precision: Literal["auto", "float32", "bfloat16"], device: torch.device) -> Precision:
    """The number type of the forward pass; ``auto`` is bfloat16 where the device computes it natively.

    Raises:
        FuzzsmoothError: If ``precision`` is not one of the three.
    """
    if precision == "auto":
        return "bfloat16" if has_native_bfloat16(device) else "float32"
    if precision not in ("float32", "bfloat16"):
        raise FuzzsmoothError(f"precision is '{precision}', expected auto, float32 or bfloat16")
    return precision


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware (AMX or AVX512-BF16 on a CPU)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Not public in all supported versions of PyTorch; where they are missing, float32 is the safe answer.
    probes = [
        getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    ]
    return any(bool(probe()) for probe in probes if probe is not None)
