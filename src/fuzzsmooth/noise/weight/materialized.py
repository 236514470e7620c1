"""The reference for parameter noise: written into the weights, one draw at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from fuzzsmooth.noise.weight.layers import noised_parameters
from fuzzsmooth.noise.weight.perturb import PerturbedParameters


@contextmanager
def materialized_weight_noise(model: nn.Module, top_layers: int, sigma: float, seed: int) -> Iterator[None]:
    """Run the model with one draw of parameter noise in its weights (arXiv 2502.06892, Eq. 5).

    All samples evaluated inside share the draw. The weights are restored bit for bit on leaving, also after
    an exception. :func:`~fuzzsmooth.noise.weight.exact_weight_noise` has the same law for each sample and is
    many times faster; the two do not give the same numbers for one seed.

    Args:
        model: A Hugging Face sequence classifier.
        top_layers: H, the noised blocks counted from the output; the head above them is noised too.
        sigma: Standard deviation of the noise, >= 0, in units of the parameters.
        seed: 0 .. 2**63 - 1.

    Raises:
        FuzzsmoothError: As :func:`~fuzzsmooth.noise.weight.noised_modules`, or on a bad ``sigma`` or seed.
    """
    with PerturbedParameters(noised_parameters(model, top_layers), sigma).perturb(seed):
        yield
