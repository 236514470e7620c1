"""Parameter noise of Fuzzed Randomized Smoothing (arXiv 2502.06892, Eqs. 4 and 5), on any torch classifier.

``exact_weight_noise`` gives every sample of a batch its own noisy model in one pass; ``drawn_weights`` are
the plain reference, and for models that allow nothing else; ``PerturbedParameters`` and ``clip_to_norm_``
serve fine-tuning.
"""

from fuzzsmooth.noise.weight.clipping import clip_to_norm_
from fuzzsmooth.noise.weight.copies import NoisyCopies
from fuzzsmooth.noise.weight.exact import exact_weight_noise
from fuzzsmooth.noise.weight.layers import (
    ExactNoiseError,
    block_count,
    noised_layers,
    noised_modules,
    noised_parameters,
)
from fuzzsmooth.noise.weight.perturb import PerturbedParameters, drawn_weights

__all__ = [
    "ExactNoiseError",
    "NoisyCopies",
    "PerturbedParameters",
    "block_count",
    "clip_to_norm_",
    "drawn_weights",
    "exact_weight_noise",
    "noised_layers",
    "noised_modules",
    "noised_parameters",
]
