"""Text noise: kernels that delete, mask or substitute units with exactly represented rates. No torch."""

from fuzzsmooth.noise.text.deletion import Deletion
from fuzzsmooth.noise.text.kernel import (
    COIN_VALUES,
    KERNELS,
    Kept,
    Rates,
    SelectionKernel,
    TextKernel,
    addressed_masks,
    area_rates,
    coin_threshold,
    draw_masks,
    kept_mask,
    represented,
    text_kernel,
    uniform_rates,
)
from fuzzsmooth.noise.text.masking import Masking
from fuzzsmooth.noise.text.share_masking import ShareMasking
from fuzzsmooth.noise.text.substitution import Substitution

__all__ = [
    "COIN_VALUES",
    "KERNELS",
    "Deletion",
    "Kept",
    "Masking",
    "Rates",
    "SelectionKernel",
    "ShareMasking",
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
