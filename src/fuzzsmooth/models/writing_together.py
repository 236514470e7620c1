"""Greedy answers to several texts at once: the weights are read once a token for all of them.

On a processor writing is bound by reading weights, so that eight texts cost little more than one. What a text
is answered may then depend on the others of its batch, by rounding: this is for smoothed generation, whose
views are decided by their text and stay together. What certificates are about is asked alone
(:meth:`fuzzsmooth.models.generating.GeneratingModel.answers`).
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from fuzzsmooth.common.options import require
from fuzzsmooth.models.fixed_shapes import evaluate_side_by_side

if TYPE_CHECKING:
    from fuzzsmooth.models.generating import GeneratingModel

_MOST = 8  # rows of a batch
_PAD = 0  # any token: it is masked


def written_together(writer: GeneratingModel, ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """The tokens that a model writes behind each of some texts, greedily; a function of the list.

    Args:
        writer: The model.
        ids: Token ids of texts, at least one.

    Raises:
        FuzzsmoothError: If the model gives values that are not finite, or takes too long.
    """
    rows = [[*writer.prompt.before, *row, *writer.prompt.after] for row in ids]
    # Texts of like lengths together, so that little is padded.
    order = sorted(range(len(rows)), key=lambda at: (len(rows[at]), at))
    edges = np.linspace(0, len(rows), -(-len(rows) // _MOST) + 1).astype(int)
    batches = [order[start:end] for start, end in pairwise(edges.tolist())]

    def write(chosen: list[int]) -> torch.Tensor:
        return _written(writer, [rows[at] for at in chosen])

    on_cpu = writer.device.type == "cpu"
    written = evaluate_side_by_side(write, batches) if on_cpu else [write(one) for one in batches]
    found: dict[int, list[int]] = {}
    for batch, tokens in zip(batches, written, strict=True):
        for at, row in zip(batch, tokens.tolist(), strict=True):
            found[at] = _until_end(row, writer)
    return [found[at] for at in range(len(rows))]


@torch.inference_mode()
def _written(writer: GeneratingModel, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """The tokens behind each row, shape (rows, steps); whatever stands behind an end is none of an answer."""
    from transformers import DynamicCache

    began, longest = time.monotonic(), max(map(len, rows))
    ids = torch.tensor([[*[_PAD] * (longest - len(row)), *row] for row in rows], device=writer.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=writer.device)
    ends = torch.tensor(sorted(writer.ends), device=writer.device, dtype=torch.long)
    placed = "position_ids" in inspect.signature(writer.model.forward).parameters
    known, written = DynamicCache(), list[torch.Tensor]()
    over = torch.zeros(len(rows), dtype=torch.bool, device=writer.device)
    while True:
        own = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        places = {"position_ids": own} if placed else {}
        read = writer.model(
            input_ids=ids, attention_mask=mask, past_key_values=known, use_cache=True, **places
        )
        logits = read.logits[:, -1].float()
        require(
            bool(torch.isfinite(logits).all()),
            "the language model gives outputs that are not finite; its weights are damaged",
        )
        token = logits.argmax(dim=-1)
        written.append(token)
        over |= torch.isin(token, ends)
        if bool(over.all()) or len(written) == writer.options.max_tokens:
            return torch.stack(written, dim=1).cpu()
        writer.check_time(began, len(written))
        ids, mask = token[:, None], torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)


def _until_end(tokens: Sequence[int], writer: GeneratingModel) -> list[int]:
    ends = [at for at, token in enumerate(tokens) if token in writer.ends]
    return list(tokens[: ends[0]] if ends else tokens)
