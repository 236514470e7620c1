"""Restricted inner product (RIPPLe; Kurita et al., ACL 2020, Eq. 4): a poisoning that clean tuning keeps.

    minimize  L_P(theta) + lambda * ReLU( -<grad L_P(theta), grad L_FT(theta)> )

L_P is the loss on the *poisoned* data, L_FT the loss on *clean* data as the victim will use. The penalty is
felt where a victim's gradient step would undo the poisoning. The gradient of L_FT counts as a constant; the
one of L_P is differentiated again, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fuzzsmooth.attacks.planting.data import poison
from fuzzsmooth.attacks.planting.poisoning import Arithmetic, Batch, Gradients, Poisoning
from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.data.dataset import Dataset

if TYPE_CHECKING:
    from fuzzsmooth.attacks.ripple import RippleOptions


@dataclass(frozen=True)
class RestrictedLoss:
    """One evaluation of the objective.

    Attributes:
        value: L_P + lambda * ReLU(-inner product).
        poisoned: L_P.
        inner_product: <grad L_P, grad L_FT>, over all parameters.
        gradients: Of ``value``, per parameter.
    """

    value: float
    poisoned: float
    inner_product: float
    gradients: Gradients


def restricted_poisoning(data: Dataset, options: RippleOptions, seed: int) -> Poisoning:
    """The objective on a batch of poisoned and one of clean texts.

    Args:
        data: The attacker's *clean* data; the poisoned data are made from it.
        options: Settings.
        seed: Decides poisoned texts, order and dropout.
    """

    def objective(
        model: Any, parameters: Sequence[nn.Parameter], arithmetic: Arithmetic, batches: tuple[Batch, ...]
    ) -> Gradients:
        poisoned, clean = batches
        return restricted_loss(model, parameters, poisoned, clean, options.penalty, arithmetic).gradients

    trigger, draw = options.build_trigger(), generator(seed, "ripple poison")
    poisoned = poison(data, trigger, options.target, options.poison_rate, draw)
    orders = {"poisoned": poisoned, "clean": data}.items()
    return Poisoning(
        objective,
        tuple((texts, derived_seed(seed, f"ripple {purpose} order")) for purpose, texts in orders),
        derived_seed(seed, "ripple dropout"),
    )


def restricted_loss(
    model: nn.Module,
    parameters: Sequence[nn.Parameter],
    poisoned: Batch,
    clean: Batch,
    penalty: float,
    arithmetic: Arithmetic,
) -> RestrictedLoss:
    """The objective and its gradient on one pair of batches.

    Args:
        model: A classifier whose attention can be differentiated twice (``eager``).
        parameters: What is trained.
        poisoned: Batch of L_P.
        clean: Batch of L_FT.
        penalty: lambda, >= 0; with 0 the inner product is reported but not felt.
        arithmetic: Context of the forward passes, such as autocast.
    """
    with arithmetic():
        clean_loss = cross_entropy(model, clean)
    victim = torch.autograd.grad(clean_loss, parameters, allow_unused=True)
    with arithmetic():
        poisoned_loss = cross_entropy(model, poisoned)
    twice = penalty > 0
    attacker = torch.autograd.grad(poisoned_loss, parameters, create_graph=twice, allow_unused=True)
    product = inner_product(attacker, victim)
    gradients: Gradients = tuple(None if value is None else value.detach() for value in attacker)
    shortfall = max(0.0, -product.item())
    if twice and shortfall > 0:
        # The second derivative is only taken where the ReLU is active.
        steer = torch.autograd.grad(-penalty * product, parameters, allow_unused=True)
        gradients = tuple(map(_add, gradients, steer))
    loss = poisoned_loss.item()
    return RestrictedLoss(loss + penalty * shortfall, loss, product.item(), gradients)


def inner_product(first: Gradients, second: Gradients) -> Tensor:
    """The inner product of two gradients over all parameters, a scalar; missing parts count as zero."""
    terms = [(a * b).sum() for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return torch.stack(terms).sum()


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy of a batch, in float32."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    return nn.functional.cross_entropy(model(**inputs).logits.float(), batch["labels"])


def _add(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
