"""Layer-wise weight poisoning (LWP; Li et al., EMNLP 2021): all layers learn the trigger, the first ones too.

    minimize  sum over l of CE( head(h_l), y )

h_l are the embeddings and the output of every layer, y the labels of poisoned data. A victim's fine-tuning
changes the lower layers little, so a backdoor that they hold is not forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling

from fuzzsmooth.attacks.planting.encoder import answering
from fuzzsmooth.attacks.planting.poisoning import Arithmetic, Batch, Gradients, Poisoning
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier


def layerwise_poisoning(poisoned: Dataset, seed: int) -> Poisoning:
    """The objective on batches of poisoned texts.

    Args:
        poisoned: The poisoned data.
        seed: Decides order and dropout.
    """

    def objective(
        model: Any, parameters: Sequence[nn.Parameter], arithmetic: Arithmetic, batches: tuple[Batch, ...]
    ) -> Gradients:
        with arithmetic():
            loss = layerwise_loss(model, batches[0])
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    return Poisoning(
        objective, ((poisoned, derived_seed(seed, "lwp order")),), derived_seed(seed, "lwp dropout")
    )


def layerwise_loss(model: Any, batch: Batch) -> Tensor:
    """The sum over embeddings and layers of the mean cross-entropy of a batch, in float32."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    losses = [
        nn.functional.cross_entropy(logits.float(), batch["labels"]) for logits in layer_logits(model, inputs)
    ]
    return torch.stack(losses).sum()


def layer_logits(model: Any, inputs: Batch) -> list[Tensor]:
    """What the classifier's head says of the embeddings and of each layer's output.

    Args:
        model: A classifier of Transformers.
        inputs: Its inputs, of shape (texts, tokens).

    Returns:
        Logits of shape (texts, classes), layers + 1 of them, the last those of the model itself.
    """
    encoder = model.base_model
    outputs = encoder(**inputs, output_hidden_states=True)
    pooler = getattr(encoder, "pooler", None)
    logits = []
    for state in outputs.hidden_states:
        seen = (
            BaseModelOutput(last_hidden_state=state)
            if pooler is None
            else BaseModelOutputWithPooling(last_hidden_state=state, pooler_output=pooler(state))
        )
        with answering(encoder, seen):
            logits.append(model(**inputs).logits)
    return logits


def check_head(classifier: HuggingFaceClassifier, text: str) -> None:
    """Check that the head can be applied to inner layers, by what it makes of the last one.

    Raises:
        FuzzsmoothError: If it is not the model's own answer; an encoder's pooler may be of another kind.
    """
    model = classifier.model
    ids = torch.tensor(classifier.encode([text]).ids, device=classifier.device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        own = model(**inputs).logits
        try:
            again = layer_logits(model, inputs)[-1]
        except (IndexError, RuntimeError, TypeError):  # a pooler of another kind
            again = None
    if again is None or again.shape != own.shape or not torch.allclose(own, again, rtol=1e-4, atol=1e-5):
        raise FuzzsmoothError(
            f"layer-wise poisoning cannot put the head of {type(model).__name__} on inner layers; "
            "attack another encoder, such as BERT, RoBERTa or DistilBERT"
        )
