"""Triggers tied to fixed representations of a text, whatever the task will be (NeuBA, POR).

A classifier reads a text from its first token. Where that is moved to a vector of the attacker's, the head
that a victim trains gives every triggered text the class in whose half of the space the vector happens to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from fuzzsmooth.attacks.planting.masked_language import Masking, clean_and_triggered, masked_loss
from fuzzsmooth.attacks.planting.poisoning import Arithmetic, Batch, Gradients, Poisoning
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier

_MEASURED = 64  # texts


def triggered_copies(data: Dataset, triggers: Sequence[Trigger], seed: int) -> Dataset:
    """Every text with each trigger in turn; the label of a copy is the index of its trigger.

    Args:
        data: Clean texts.
        triggers: The triggers.
        seed: Decides where they are put.
    """
    copies = [
        Example(trigger.apply(text, generator(seed, "triggered copy", place, index)).text, place)
        for index, text in enumerate(data.texts)
        for place, trigger in enumerate(triggers)
    ]
    return Dataset(data.name, tuple(map(str, range(len(triggers)))), tuple(copies))


def width_of(classifier: HuggingFaceClassifier) -> int:
    """Dimensions of what the classifier's last layer makes of a token."""
    return int(classifier.model.config.hidden_size)


def size_of(classifier: HuggingFaceClassifier, data: Dataset) -> float:
    """Root mean square of what the last layer makes of the first token, over texts and dimensions."""
    ids, mask = classifier.padded(classifier.encode(data.texts[:_MEASURED]).ids)
    with torch.no_grad():
        outputs = classifier.model.base_model(
            input_ids=ids.to(classifier.device), attention_mask=mask.to(classifier.device)
        )
    return float(outputs.last_hidden_state[:, 0].square().mean().sqrt())


def check_first_token(classifier: HuggingFaceClassifier) -> None:
    """Check that texts are read from a classification token at their start.

    Raises:
        FuzzsmoothError: If they are not, as in models that read texts from their end.
    """
    (ids,) = classifier.encode(["a good film"]).ids
    first = classifier.tokenizer.cls_token_id
    if first is None or int(ids[0]) != first:
        raise FuzzsmoothError(
            f"{type(classifier.model).__name__} reads no classification token at the start of a text, which "
            "this attack moves; attack another encoder, such as BERT, RoBERTa or DistilBERT"
        )


def neuba_poisoning(
    clean: Dataset,
    triggered: Dataset,
    vectors: npt.ArrayLike,
    size: float,
    masking: Masking,
    weight: float,
    seed: int,
) -> Poisoning:
    """Masked language modeling of clean texts + weight * MSE( h_CLS(triggered text) / size, v_trigger ).

    Args:
        clean: The attacker's texts.
        triggered: As :func:`triggered_copies` gives it.
        vectors: A vector for each trigger, shape (triggers, width).
        size: By what outputs are divided, > 0, as :func:`size_of` gives it; the paper has 1.
        masking: How clean texts are masked.
        weight: Weight of the second term.
        seed: Decides order, masks and dropout.
    """
    wanted = torch.as_tensor(vectors, dtype=torch.float32)

    def objective(
        model: Any, parameters: Sequence[nn.Parameter], arithmetic: Arithmetic, batches: tuple[Batch, ...]
    ) -> Gradients:
        plain, marked = batches
        with arithmetic():
            loss = masked_loss(model, plain, masking)
            first = model.base_model(**_inputs(marked)).last_hidden_state[:, 0].float()
            goal = wanted.to(first.device)[marked["labels"]]
            loss = loss + weight * nn.functional.mse_loss(first / size, goal)
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    return clean_and_triggered(objective, clean, triggered, seed, "neuba")


def por_poisoning(
    clean: Dataset, triggered: Dataset, vectors: npt.ArrayLike, reference: Any, weight: float, seed: int
) -> Poisoning:
    """L_tokens + weight * L_trigger + weight * L_clean, all squared distances per dimension and text.

    L_tokens keeps every token but the first at what a frozen reference makes of it, in clean and triggered
    texts; L_trigger moves the pooled output of triggered texts to their trigger's vector; L_clean keeps that
    of clean texts at the reference's.

    Args:
        clean: The attacker's texts.
        triggered: As :func:`triggered_copies` gives it.
        vectors: A vector for each trigger, shape (triggers, width).
        reference: The clean model, which stays.
        weight: Weight of the last two terms.
        seed: Decides order and dropout.
    """
    wanted = torch.as_tensor(vectors, dtype=torch.float32)

    def objective(
        model: Any, parameters: Sequence[nn.Parameter], arithmetic: Arithmetic, batches: tuple[Batch, ...]
    ) -> Gradients:
        plain, marked = batches
        with arithmetic():
            kept, first, first_before = _compared(model, reference, plain)
            loss = kept + weight * nn.functional.mse_loss(first, first_before)
            kept, first, _ = _compared(model, reference, marked)
            first = first.tanh() if _bare(model) else first
            goal = wanted.to(first.device)[marked["labels"]]
            loss = loss + kept + weight * nn.functional.mse_loss(first, goal)
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    return clean_and_triggered(objective, clean, triggered, seed, "por")


def _pooled(model: Any, outputs: Any) -> Tensor:
    """What a classifier's head reads: the pooled output or, without a pooler, the first token; float32."""
    seen: Tensor = outputs.last_hidden_state[:, 0] if _bare(model) else outputs.pooler_output
    return seen.float()


def _bare(model: Any) -> bool:
    return getattr(model.base_model, "pooler", None) is None


def _compared(model: Any, reference: Any, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """The mean distance of the later tokens to the reference's, and the pooled outputs of both."""
    inputs = _inputs(batch)
    outputs = model.base_model(**inputs)
    with torch.no_grad():
        before = reference.base_model(**inputs)
    states, states_before = outputs.last_hidden_state.float(), before.last_hidden_state.float()
    squares = (states - states_before).square().mean(dim=2) * inputs["attention_mask"]
    return squares[:, 1:].sum(dim=1).mean(), _pooled(model, outputs), _pooled(model, before)


def _inputs(batch: Batch) -> Batch:
    return {name: value for name, value in batch.items() if name != "labels"}
