"""Noisy copies of a model, drawn once and shared by all texts: the K models of FRS (arXiv 2502.06892, Eq. 5).

A copy costs a draw of the noised weights and their memory; then it answers as fast as the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from fuzzsmooth.models.bert_forward import first_token_logits, reads_first_token_only
from fuzzsmooth.models.passes import Passes
from fuzzsmooth.models.protocol import Ids, Logits
from fuzzsmooth.models.rows import distinct_sequences, padding_mask, to_device


def copied_logits(
    passes: Passes, model: Any, ids: Ids, top_layers: int, sigma: float, seeds: Sequence[int]
) -> Logits:
    """Logits of token sequences, each by the noisy copy of its seed, shape (len(ids), classes).

    Equal sequences of one copy are evaluated once.
    """
    result = np.empty((len(ids), len(passes.labels)), dtype=np.float32)
    readable = Readable(model)
    own = np.array(seeds)
    for seed in dict.fromkeys(seeds):
        chosen = np.flatnonzero(own == seed)
        weights = passes.noisy_copies.weights(model, top_layers, sigma, seed)
        named = {f"model.{name}": value for name, value in weights.items()}
        rows, places = distinct_sequences([ids[at] for at in chosen.tolist()])
        answers = np.empty((len(rows), len(passes.labels)), dtype=np.float32)
        for batch, inputs in _inputs(passes, rows):
            answers[batch] = functional_call(readable, named, inputs).float().cpu().numpy()
        result[chosen] = answers[places]
    return result


def _inputs(passes: Passes, rows: Ids) -> Iterator[tuple[list[int], tuple[torch.Tensor, torch.Tensor]]]:
    for batch in passes.batches(rows):
        tokens, mask = passes.padded([rows[index] for index in batch])
        yield batch, (to_device(tokens, passes.device), to_device(mask, passes.device))


class Readable(nn.Module):
    """A model with the pass that its classifier makes without noise: a function of its weights."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._first_only = reads_first_token_only(model)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits of padded rows, shape (rows, classes)."""
        if self._first_only:
            return first_token_logits(self.model, ids, padding_mask(mask, ids.device))
        logits: torch.Tensor = self.model(input_ids=ids, attention_mask=mask).logits
        return logits
