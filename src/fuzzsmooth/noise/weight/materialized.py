"""The reference for parameter noise: written into the weights, one draw at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fuzzsmooth.noise.weight.layers import noised_named_parameters, noised_parameters
from fuzzsmooth.noise.weight.perturb import PerturbedParameters
from fuzzsmooth.noise.weight.seeding import check_sigma, torch_generator


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


@torch.no_grad()
def drawn_weights(model: nn.Module, top_layers: int, sigma: float, seed: int) -> dict[str, Tensor]:
    """One draw of the noised parameters, by name: what :func:`materialized_weight_noise` would write.

    The model is not touched; :func:`torch.func.functional_call` evaluates it with these in place of its own.

    Args:
        model: As in :func:`materialized_weight_noise`.
        top_layers: As in :func:`materialized_weight_noise`.
        sigma: As in :func:`materialized_weight_noise`.
        seed: As in :func:`materialized_weight_noise`.

    Raises:
        FuzzsmoothError: As :func:`materialized_weight_noise`.
    """
    check_sigma(sigma)
    drawn: dict[str, Tensor] = {}
    generators: dict[torch.device, torch.Generator] = {}
    for name, parameter in noised_named_parameters(model, top_layers):
        device = parameter.device
        generator = generators.setdefault(device, torch_generator(seed, device))
        dtype = torch.promote_types(parameter.dtype, torch.float32)
        noise = torch.empty(parameter.shape, dtype=dtype, device=device).normal_(generator=generator)
        # Rounded once: the sum is computed in the wider of the two types.
        drawn[name] = torch.add(parameter, noise, alpha=sigma, out=noise).to(parameter.dtype)
    return drawn
