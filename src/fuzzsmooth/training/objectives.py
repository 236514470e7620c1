r"""What is minimized over several views of one text, so that votes over views come out right.

With the views phi_1..phi_k of a text of class y and the model's probabilities p:

* ``each``: the mean of -log p_y(phi_i), the usual augmentation: every fragment must tell the class;
* ``mean``: -log of the mean of p_y(phi_i). Its gradient weighs a view by its share of that mean, so that a
  text is learned from the fragments that can tell, and what is lost on hopeless ones is bounded. A vote over
  draws asks for exactly this: the class must win, not each draw;
* consistency: the mean of KL(mean_j p(phi_j) || p(phi_i)), which pulls the votes of one text together
  (after Jeong and Shin, arXiv 2006.04062, who regularize Gaussian smoothing so).

For windows the certificate needs the smallest margin over all windows, hence the worst of some candidates
is trained on, as in adversarial training, beside the whole text.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch.nn import functional

Objective = Literal["each", "mean"]


def copies_loss(
    logits: torch.Tensor, labels: torch.Tensor, *, objective: Objective, consistency: float
) -> torch.Tensor:
    """The loss of a batch of texts with several equal views each.

    Args:
        logits: Shape (texts, views, classes).
        labels: Class indices, shape (texts,).
        objective: See the head of the module; with one view both are cross-entropy.
        consistency: Weight of the consistency term, >= 0; its target takes part in the gradient.

    Returns:
        A scalar.
    """
    texts, views, _classes = logits.shape
    each = functional.log_softmax(logits.float(), dim=-1)
    mean = torch.logsumexp(each, dim=1) - math.log(views)
    if objective == "mean":
        loss = functional.nll_loss(mean, labels)
    else:
        loss = functional.nll_loss(each.flatten(0, 1), labels.repeat_interleave(views))
    if consistency:
        target = mean.unsqueeze(1).expand_as(each)
        apart = functional.kl_div(each, target, log_target=True, reduction="sum") / (texts * views)
        loss = loss + consistency * apart
    return loss


def worst_view(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """For each text the view on which its class does worst.

    Args:
        logits: Shape (texts, views, classes).
        labels: Class indices, shape (texts,).

    Returns:
        View numbers, shape (texts,).
    """
    each = functional.log_softmax(logits.float(), dim=-1)
    own = labels.view(-1, 1, 1).expand(-1, each.shape[1], 1)
    return each.gather(2, own).squeeze(2).argmin(dim=1)
