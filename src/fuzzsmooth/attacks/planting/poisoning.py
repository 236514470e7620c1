"""The loop of attacks that train weights: Adam on an objective, stopped and resumed at any epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from fuzzsmooth.attacks.planting.checkpoints import Tensors
from fuzzsmooth.attacks.planting.options import WeightOptions
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.training import Progress, silent
from fuzzsmooth.training.batches import endless_batches
from fuzzsmooth.training.examples import TrainingTexts
from fuzzsmooth.training.isolation import isolated_randomness
from fuzzsmooth.training.precision import arithmetic, training_precision
from fuzzsmooth.training.resuming import restore_training, training_state

Batch = dict[str, torch.Tensor]
"""Model inputs of shape (texts, tokens), and ``labels`` of shape (texts,)."""
Gradients = tuple[torch.Tensor | None, ...]
"""One per parameter, in its shape; None where the loss does not depend on it."""
Arithmetic = Callable[[], AbstractContextManager[object]]
"""Makes the context forward passes run in."""
Objective = Callable[[Any, Sequence[torch.nn.Parameter], Arithmetic, tuple[Batch, ...]], Gradients]
"""What is minimized: model, what is trained, context of the passes and one batch per data set -> gradient."""


@dataclass(frozen=True)
class Poisoning:
    """What an attack trains.

    Attributes:
        objective: What is minimized.
        data: The data sets that it takes a batch of each step, each with the seed of its order; an epoch is a
            pass over the first.
        dropout_seed: Decides dropout.
    """

    objective: Objective
    data: tuple[tuple[Dataset, int], ...]
    dropout_seed: int


def steps_per_epoch(data: Dataset, options: WeightOptions) -> int:
    """Optimizer steps of one pass over the data."""
    return -(-len(data) // options.batch_size)


def poison_weights(
    classifier: HuggingFaceClassifier,
    poisoning: Poisoning,
    options: WeightOptions,
    *,
    steps: int,
    model: Any | None = None,
    progress: Progress = silent,
    state: Tensors | None = None,
    keep: Callable[[Tensors], None] | None = None,
) -> None:
    """Train a model in place on an attacker's objective.

    A run that goes on from a kept state ends with the weights of an undisturbed run, bit by bit (on CPU and
    CUDA, as far as the kernels themselves repeat their sums): the state holds weights, Adam's moments and
    the generators that dropout draws from, and everything else is addressed by the step.

    Args:
        classifier: The pre-trained model with any head.
        poisoning: Objective and data; the attention of the model it is given can be differentiated twice.
        options: Settings.
        steps: Optimizer steps.
        model: What is trained, if it is not the classifier's model: one that shares its encoder, on the same
            device, such as the encoder under another head.
        progress: Called after every step.
        state: What ``keep`` was given by the same run, to go on from there; the model's weights are
            then replaced by those of the state.
        keep: Given the state after every epoch but the last.

    Raises:
        FuzzsmoothError: If training diverged.
    """
    device = classifier.device
    precision = training_precision(classifier, options.precision)
    epoch = steps_per_epoch(poisoning.data[0][0], options)
    model = classifier.model if model is None else model
    with _twice_differentiable(classifier, model), isolated_randomness(poisoning.dropout_seed):
        parameters = [value for value in model.parameters() if value.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=0.0, fused=True)
        start = 0 if state is None else restore_training(state, model.state_dict(), optimizer, device)
        batches = [
            islice(
                endless_batches(
                    TrainingTexts(texts, classifier, max_length=options.max_length),
                    options.batch_size,
                    order_seed,
                    device,
                ),
                start,
                None,
            )
            for texts, order_seed in poisoning.data
        ]
        for step in range(start, steps):
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * _warm_linear(step, steps)
            now = tuple(next(stream) for stream in batches)
            gradients = poisoning.objective(model, parameters, lambda: arithmetic(precision, device), now)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            norm = torch.nn.utils.clip_grad_norm_(parameters, options.max_grad_norm or float("inf"))
            if not torch.isfinite(norm):
                raise FuzzsmoothError(f"the attack diverged at step {step + 1}; lower learning_rate")
            optimizer.step()
            if keep is not None and (step + 1) % epoch == 0 and step + 1 < steps:
                keep(training_state(model.state_dict(), optimizer, step + 1, device))
            progress(step + 1, steps)
        optimizer.zero_grad(set_to_none=True)


@contextmanager
def _twice_differentiable(classifier: HuggingFaceClassifier, model: Any) -> Iterator[None]:
    """A model that shares the classifier's encoder, in training mode and twice differentiable."""
    own = classifier.model
    implementation = own.config._attn_implementation
    # Fused attention kernels have no double backward.
    own.set_attn_implementation("eager")
    model.train()
    try:
        yield
    finally:
        own.set_attn_implementation(implementation)
        model.eval()
        classifier.refresh()


def _warm_linear(step: int, steps: int) -> float:
    """Share of the peak step size: up over the first tenth of the steps, then down to nothing."""
    warm = max(1, round(0.1 * steps))
    return min(1.0, (step + 1) / warm) * max(0.0, (steps - step) / steps)
