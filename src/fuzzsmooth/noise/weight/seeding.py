"""Torch generators and scales for parameter noise."""

from __future__ import annotations

import math

import torch

from fuzzsmooth.common.options import require

_MIX = 0x9E3779B97F4A7C15


def torch_generator(seed: int, device: torch.device) -> torch.Generator:
    """A torch generator on ``device`` for a seed of up to 63 bits.

    Torch's CPU generator reads the low 32 bits of its seed only. A multiplicative hash (Knuth, TAOCP 3,
    6.4) folds all bits into them, so that seeds which differ only above bit 32 give different noise.

    Raises:
        FuzzsmoothError: If the seed is outside 0 .. 2**63 - 1.
    """
    require(0 <= seed < 2**63, f"noise seed {seed} is outside 0 .. 2**63 - 1")
    mixed = (seed * _MIX) % 2**64
    return torch.Generator(device).manual_seed(mixed >> 32 if device.type == "cpu" else seed)


def check_sigma(sigma: float) -> None:
    """Raise ``FuzzsmoothError`` unless ``sigma`` is a finite standard deviation >= 0."""
    require(math.isfinite(sigma) and sigma >= 0, f"sigma is {sigma}; give a finite number >= 0")
