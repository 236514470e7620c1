"""Text noise: kernels that delete, mask or substitute units with exactly represented rates. No torch."""

from fuzzsmooth.noise.text.delete import Deletion
from fuzzsmooth.noise.text.kernel import SelectionKernel, TextKernel
from fuzzsmooth.noise.text.mask import Masking
from fuzzsmooth.noise.text.rates import (
    COIN_VALUES,
    Kept,
    Rates,
    addressed_masks,
    area_rates,
    coin_threshold,
    draw_masks,
    kept_mask,
    represented,
    uniform_rates,
)
from fuzzsmooth.noise.text.registry import TEXT_KERNELS, text_kernel
from fuzzsmooth.noise.text.substitute import Substitution

__all__ = [
    "COIN_VALUES",
    "TEXT_KERNELS",
    "Deletion",
    "Kept",
    "Masking",
    "Rates",
    "SelectionKernel",
    "Substitution",
    "TextKernel",
    "addressed_masks",
    "area_rates",
    "coin_threshold",
    "draw_masks",
    "kept_mask",
    "represented",
    "text_kernel",
    "uniform_rates",
]
