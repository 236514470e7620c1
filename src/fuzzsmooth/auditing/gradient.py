"""Which pieces would move texts, to first order: HotFlip's score (Ebrahimi et al., ACL 2018) for insertions.

A filler is inserted where a piece would stand. The gradient of the target's margin with respect to the
filler's vector, times the difference to another piece's vector, estimates what that piece would do there. One
pass forward and one back rate the whole vocabulary; the estimate is coarse, so it only proposes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.pieces import Part
from fuzzsmooth.auditing.prober import Array, Prober
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.rows import pad_rows, to_device

_BATCH = 32  # rows that a gradient is taken of at once


def gradient_scores(
    prober: Prober,
    hosts: Sequence[Host],
    gaps: Sequence[Sequence[int]],
    target: int,
    parts: Sequence[Part] = (),
) -> Array:
    """First-order gain of a class for every piece of the vocabulary, shape (vocabulary,), nats.

    Args:
        prober: Holds a Hugging Face model.
        hosts: Texts of other classes, at least one.
        gaps: For each of them the places of ``parts``, and last that of the new piece.
        target: The class.
        parts: What is inserted already.

    Raises:
        FuzzsmoothError: If the model gives no gradients.
    """
    model, table = word_table(prober)
    filler = filler_id(prober.classifier.tokenizer)
    rows, where = [], []
    for host, own in zip(hosts, gaps, strict=True):
        row, at = _with_filler(host, parts, own, filler)
        rows.append(row)
        where.append(at)
    total = torch.zeros(len(table), dtype=torch.float64)
    for start in range(0, len(rows), _BATCH):
        batch, places = rows[start : start + _BATCH], where[start : start + _BATCH]
        vectors, mask = embedded(prober, table, batch)
        vectors.requires_grad_(True)
        margins = target_margins(model(inputs_embeds=vectors, attention_mask=mask).logits, target)
        (slope,) = torch.autograd.grad(margins.sum(), vectors)
        theirs = slope[torch.arange(len(batch)), torch.tensor(places)].float()
        total += (theirs @ (table - table[filler]).float().T).sum(dim=0).double().cpu()
    prober.backward += len(rows)
    return np.asarray(total.numpy() / max(1, len(rows)), dtype=np.float64)


def word_table(prober: Prober) -> tuple[Any, torch.Tensor]:
    """The float32 model and its word vectors, shape (vocabulary, width).

    Raises:
        FuzzsmoothError: If the classifier is no Hugging Face model.
    """
    model = getattr(prober.classifier, "model", None)
    if model is None:
        raise FuzzsmoothError(
            "gradients need a local Hugging Face model; leave --fast out for a model that only answers"
        )
    table: torch.Tensor = model.get_input_embeddings().weight.detach()
    return model.eval(), table


def embedded(prober: Prober, table: torch.Tensor, rows: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Word vectors of rows, shape (rows, length, width), and their mask, on the model's device."""
    classifier: Any = prober.classifier
    ids, mask = pad_rows(rows, classifier.pad_id)
    return table[to_device(ids, table.device)].clone(), to_device(mask, table.device)


def target_margins(logits: torch.Tensor, target: int) -> torch.Tensor:
    """Logit of the target less the log-sum-exp of the others, shape (rows,)."""
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - others.logsumexp(dim=1)


def filler_id(tokenizer: Any) -> int:
    """The mask, or else the unknown token, or the first piece: what stands where nothing is known."""
    for index in (tokenizer.mask_token_id, tokenizer.unk_token_id):
        if index is not None:
            return int(index)
    return 0


def _with_filler(
    host: Host, parts: Sequence[Part], gaps: Sequence[int], filler: int
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
    row = host.holding((*parts, (-1,)), gaps)
    at = int(np.flatnonzero(row == -1)[0])
    row[at] = filler
    return row, at
