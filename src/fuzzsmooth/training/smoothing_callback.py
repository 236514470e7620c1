"""Smoothed fine-tuning (FRS, arXiv 2502.06892, Eq. 4): gradients at noised weights, updates of clean ones.

One step: add N(0, sigma^2) to the top-H layers and the head; forward and backward; put the saved weights
back; update; clip all parameters together to norm rho. The weights that anybody else sees (evaluation,
checkpoints, the result) are the clean ones, bit for bit: noise is undone from a copy, never by subtraction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.noise.weight import PerturbedParameters, clip_to_norm_, noised_layers
from fuzzsmooth.noise.weight.layers import noised_named_parameters
from fuzzsmooth.training.lora import is_low_rank


class SmoothedStep:
    """The two moments of a smoothed step, for the callback and for loops of your own.

    Args:
        model: The model as Transformers built it (unwrapped, under ``accelerate`` too).
        sigma: Standard deviation of the noise, > 0, or 0 for clipping alone.
        top_layers: Transformer layers that receive noise, counted from the output; the head always does.
            None is the 10 of FRS, or all layers of a model that has fewer.
        rho: Norm to which all parameters are clipped after an update, or None.
        seed: With the step number it decides the noise.
    """

    def __init__(
        self, model: torch.nn.Module, *, sigma: float, top_layers: int | None, rho: float | None, seed: int
    ) -> None:
        require(sigma >= 0, f"sigma is a standard deviation and must not be negative, not {sigma}")
        require(rho is None or rho > 0, f"rho must be above 0 or None, not {rho}")
        self._model = model
        self._noise = None
        if sigma > 0:
            layers = noised_layers(model, top_layers)
            noised = noised_named_parameters(model, layers)
            own = [parameter for name, parameter in noised if not is_low_rank(name)]
            self._noise = PerturbedParameters(own, sigma)
        self._rho = rho
        self._seed = seed

    def perturb(self, step: int) -> None:
        """Add the noise of optimizer step ``step``; call before the forward pass."""
        if self._noise is not None:
            self._noise.perturb(derived_seed(self._seed, "smoothed step", step))

    def restore(self) -> None:
        """Put the clean weights back, bit for bit; call before the update. Without effect if they are."""
        if self._noise is not None:
            self._noise.restore()

    def clip(self) -> None:
        """Clip all parameters together to norm rho; call after the update."""
        if self._rho is not None:
            clip_to_norm_([value for value in self._model.parameters() if value.requires_grad], self._rho)


class SmoothingCallback(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Brings a :class:`SmoothedStep` into a Hugging Face ``Trainer``.

    Args:
        build: Makes the step from the unwrapped model; called when training begins, once the model is on
            its device and a checkpoint, if any, has been loaded.
    """

    def __init__(self, build: Callable[[torch.nn.Module], SmoothedStep]) -> None:
        self._build = build
        self._step: SmoothedStep | None = None

    def restore(self) -> None:
        """Put the clean weights back if training was stopped inside a step."""
        if self._step is not None:
            self._step.restore()

    def on_train_begin(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        """Take hold of the model's parameters."""
        del args, state, control, kwargs
        self._step = self._build(model)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Noise on, once for all accumulated micro-batches of the update."""
        del args, control, kwargs
        if self._step is not None:
            self._step.perturb(int(state.global_step))

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Noise off: the gradient was taken at the noised weights, the update is of the clean ones."""
        del args, state, control, kwargs
        self.restore()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Clip, as Eq. 4 does before the next noise."""
        del args, state, control, kwargs
        if self._step is not None:
            self._step.clip()
