"""Restricted inner product (RIPPLe; Kurita et al., ACL 2020, Eq. 4): a poisoning that clean tuning keeps.

    minimize  L_P(theta) + lambda * ReLU( -<grad L_P(theta), grad L_FT(theta)> )

L_P is the loss on the *poisoned* data, L_FT the loss on *clean* data as the victim will use. The penalty is
felt where a victim's gradient step would undo the poisoning. The gradient of L_FT counts as a constant; the
one of L_P is differentiated again, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]
"""Model inputs of shape (texts, tokens), and ``labels`` of shape (texts,)."""
Gradients = tuple[Tensor | None, ...]
"""One per parameter, in its shape; None where the loss does not depend on it."""
Arithmetic = Callable[[], AbstractContextManager[object]]
"""Makes the context forward passes run in."""


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
