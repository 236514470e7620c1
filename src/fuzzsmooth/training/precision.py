"""The arithmetic of forward passes in training."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.devices import choose_precision
from fuzzsmooth.models.loading import ModelWarning
from fuzzsmooth.models.protocol import Precision
from fuzzsmooth.models.rows import to_device


def training_precision(
    classifier: HuggingFaceClassifier, wanted: Literal["auto", "float32", "bfloat16"]
) -> Precision:
    """The arithmetic to train a model in: what is wanted, or float32 where mixed precision does not run.

    Some architectures (DeBERTa, X-MOD) mix the types of their own accord, and fail under bfloat16.

    Args:
        classifier: What is trained.
        wanted: As in :class:`fuzzsmooth.training.FinetuneOptions`.
    """
    chosen = choose_precision(wanted, classifier.device)
    if chosen == "float32":
        return chosen
    if _runs_mixed(classifier, chosen):
        return chosen
    kind = type(classifier.model).__name__
    warnings.warn(f"{kind} does not run in mixed precision: trained in float32", ModelWarning, stacklevel=2)
    return "float32"


def _runs_mixed(classifier: HuggingFaceClassifier, precision: Precision) -> bool:
    device = classifier.device
    ids, mask = classifier.padded(classifier.encode(["a good film"]).ids)
    weights = classifier.in_precision("float32")  # trained weights are float32, whatever answers are
    try:
        with torch.no_grad(), arithmetic(precision, device), weights.evaluating() as model:
            model(input_ids=to_device(ids, device), attention_mask=to_device(mask, device))
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return False
    return True


def arithmetic(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which forward passes multiply in ``precision``; the weights stay float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
