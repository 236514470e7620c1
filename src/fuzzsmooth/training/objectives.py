r"""What is minimized over several views of one text, so that votes over views come out right.

Every view must tell the class: the loss is the mean of -log p_y over the views of a text of class y, the
usual augmentation. For windows the certificate needs the smallest margin over all windows, hence the worst of
some candidates is trained on, as in adversarial training, beside the whole text.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def views_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The loss of a batch of texts with several equal views each.

    Args:
        logits: Shape (texts, views, classes).
        labels: Class indices, shape (texts,).

    Returns:
        A scalar.
    """
    return functional.cross_entropy(logits.float().flatten(0, 1), labels.repeat_interleave(logits.shape[1]))


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
