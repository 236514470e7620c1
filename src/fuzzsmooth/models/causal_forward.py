"""The forward pass of a decoder in two parts: what stands below the noise, and the rest.

Draws of a text are often equal token sequences. What is below the noise is then the same for all of them,
and is computed once. That is so for the decoders that begin each block with the states alone (Llama, Mistral,
Qwen); GPT-2 adds positions and Gemma a scale to whatever enters, so they are evaluated whole. The head reads
one token, so it is given that one. The blocks are the model's own: weights and noise in them show at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fuzzsmooth.models.prompted import is_prompted

_KNOWN = frozenset(
    f"transformers.models.{kind}.modeling_{kind}" for kind in ("llama", "mistral", "qwen2", "qwen3")
)


def has_parts(model: nn.Module) -> bool:
    """Whether :func:`decoder_states` and :func:`decoder_logits` compute together what the model does.

    They do for the classifiers of Transformers as published, prompted or not, without replaced parts.
    """
    kind = type(model)
    published = kind.__module__ in _KNOWN and kind.__name__.endswith("ForSequenceClassification")
    known = (*_KNOWN, "torch.nn.", "transformers.activations")
    return published and all(
        type(part).__module__.startswith(known) and "forward" not in vars(part) for part in model.modules()
    )


def decoder_states(model: Any, ids: Tensor, mask: Tensor, layers: int) -> Tensor:
    """What the lowest layers make of token sequences.

    Args:
        model: A model for which :func:`has_parts` holds, in evaluation mode.
        ids: Token ids, padded on the right, shape (rows, length); with the prompt around each text, if the
            model has one (see :func:`fuzzsmooth.models.prompted.around`).
        mask: 1 at tokens, 0 at padding; the same shape.
        layers: How many layers, 0 (the embeddings alone) to all.

    Returns:
        Shape (rows, length, width).
    """
    body = model.base_model
    with _only(body, slice(0, layers), last=False):
        states: Tensor = body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    return states


def decoder_logits(model: Any, states: Tensor, mask: Tensor, first_layer: int) -> Tensor:
    """Logits of sequences from what their lowest layers made of them.

    Args:
        model: As in :func:`decoder_states`.
        states: :func:`decoder_states` of the lowest ``first_layer`` layers.
        mask: As there.
        first_layer: The first layer to be computed, 0 to the number of layers.

    Returns:
        Shape (rows, classes).
    """
    body = model.base_model
    with _only(body, slice(first_layer, None), last=True):
        output = body(inputs_embeds=states, attention_mask=mask, use_cache=False)
    last = mask.sum(dim=1) - 1
    if is_prompted(model):
        scores: Tensor = model.class_scores(output.last_hidden_state, last)
        return scores
    rows = torch.arange(len(states), device=states.device)
    logits: Tensor = model.score(output.last_hidden_state[rows, last.to(states.device)])
    return logits


@contextmanager
def _only(body: Any, layers: slice, *, last: bool) -> Iterator[None]:
    """Some of the blocks of a body, with the norm behind the last one or without it."""
    blocks, norm = body.layers, body.norm
    body.layers = blocks[layers]
    if not last:
        body.norm = nn.Identity()
    try:
        yield
    finally:
        body.layers, body.norm = blocks, norm
