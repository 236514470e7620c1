"""Logits of a transformer under parameter noise, a fresh draw for each sequence: FRS Eq. 5, nothing stored.

Where few noisy copies answer many sequences, :mod:`fuzzsmooth.models.noisy_copies` keeps them. Elsewhere
noise is drawn in activation space, for a whole batch at once. Models that this does not suit (a weight used
twice in one pass, other kinds of layers) get weights drawn anew for every sequence: the same law, many times
slower. The weights themselves are never touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.func import functional_call

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.models.bert_forward import first_token_logits_from, lower_states, reads_first_token_only
from fuzzsmooth.models.causal_forward import decoder_logits, decoder_states, has_parts
from fuzzsmooth.models.noisy_copies import copied_logits
from fuzzsmooth.models.passes import Passes
from fuzzsmooth.models.prompted import around
from fuzzsmooth.models.protocol import Ids, Logits, SlowPathWarning, WeightNoise
from fuzzsmooth.models.rows import distinct_sequences, padding_mask, to_device
from fuzzsmooth.noise.weight import (
    ExactNoiseError,
    block_count,
    drawn_weights,
    exact_weight_noise,
    noised_layers,
)

_Pass: TypeAlias = tuple[list[int], torch.Tensor, Callable[[], torch.Tensor]]
"""Indices of the sequences of one batch, its attention mask, and the pass that gives their logits."""

# Two texts of two lengths and two of one, to try the exact sampler on.
_PROBES = ("a good film", "a bad film that is long", "a bad film that is dull")
_PROBE_SIGMA = 0.02
_TOLERANCE = 1e-3  # of the largest logit; the noise of another text makes far more


def noisy_logits(passes: Passes, ids: Ids, noise: WeightNoise, seeds: Sequence[int]) -> Logits:
    """Logits of token sequences, each under its own noise draw, shape (len(ids), classes).

    What is below the noise is a function of the sequence alone. Of models that
    :func:`~fuzzsmooth.models.bert_forward.reads_first_token_only` or
    :func:`~fuzzsmooth.models.causal_forward.has_parts` knows it is computed once per distinct sequence, of
    others once per draw. Each draw counts in the ``forward_count``.

    Args:
        passes: The classifier.
        ids: Non-empty token id sequences, special tokens included.
        noise: Scale and place of the noise.
        seeds: One 63-bit seed per sequence; a row is a function of (sequence, noise, seed) alone.

    Raises:
        FuzzsmoothError: If the noise makes the model's outputs infinite, or there is not one seed each.
    """
    require(len(seeds) == len(ids), f"{len(seeds)} seeds for {len(ids)} sequences; give one seed for each")
    top_layers = noised_layers(passes.model, noise.top_layers)
    with torch.inference_mode(), passes.evaluating() as model:
        if noise.copies:
            evaluate = copied_logits
        else:
            evaluate = _batched if _suits_batches(passes, model, top_layers) else _one_by_one
        result = evaluate(passes, model, ids, top_layers, noise.sigma, seeds)
    passes.forward_count += len(ids)
    if not np.isfinite(result).all():
        raise FuzzsmoothError(
            f"the outputs are not finite under parameter noise of sigma={noise.sigma:g}; lower sigma"
        )
    return result


def _batched(
    passes: Passes, model: Any, ids: Ids, top_layers: int, sigma: float, seeds: Sequence[int]
) -> Logits:
    """Logits by the exact sampler: the noises of a whole batch in one pass."""
    in_two = reads_first_token_only(model) or has_parts(model)
    parts = (
        _shared_passes(passes, model, ids, block_count(model) - top_layers)
        if in_two
        else _whole_passes(passes, model, ids)
    )
    outputs: list[tuple[list[int], torch.Tensor]] = []
    for chosen, mask, forward in parts:
        with exact_weight_noise(model, top_layers, sigma, [seeds[at] for at in chosen], mask):
            outputs.append((chosen, forward()))
    result = np.empty((len(ids), len(passes.labels)), dtype=np.float32)
    for chosen, output in outputs:
        result[chosen] = output.float().cpu().numpy()
    return result


def _one_by_one(
    passes: Passes, model: Any, ids: Ids, top_layers: int, sigma: float, seeds: Sequence[int]
) -> Logits:
    """Logits under weights that are drawn for each sequence by itself."""
    result = np.empty((len(ids), len(passes.labels)), dtype=np.float32)
    for at, (row, seed) in enumerate(zip(ids, seeds, strict=True)):
        tokens, mask = (to_device(part, passes.device) for part in passes.padded([row]))
        weights = drawn_weights(model, top_layers, sigma, seed)
        inputs = {"input_ids": tokens, "attention_mask": mask}
        result[at] = functional_call(model, weights, kwargs=inputs).logits[0].float().cpu().numpy()
    return result


def _suits_batches(passes: Passes, model: Any, top_layers: int) -> bool:
    """Whether the exact sampler suits a model: decided once, on texts of its own."""
    known = passes.noisy_batches  # twins share it: a property of the architecture, not of rounding
    if top_layers not in known:
        judge = passes.in_precision("float32")
        known[top_layers] = reads_first_token_only(model) or _samples_exactly(judge, top_layers)
        if not known[top_layers]:
            warnings.warn(
                f"the exact sampler of parameter noise does not suit {type(model).__name__}: weights "
                "are drawn anew for every draw of every text, many times slower and with the same law",
                SlowPathWarning,
                stacklevel=4,
            )
    return known[top_layers]


def _samples_exactly(passes: Passes, top_layers: int) -> bool:
    """Try the exact sampler on some texts: together, and each alone under the same seed.

    A layer that reads tokens in another layout could take one sample's noise for another's.
    """
    rows = passes.encode(_PROBES).ids
    try:
        with passes.evaluating() as model:
            together = _batched(passes, model, rows, top_layers, _PROBE_SIGMA, range(len(rows)))
            alone = [
                _batched(passes, model, [row], top_layers, _PROBE_SIGMA, [seed])[0]
                for seed, row in enumerate(rows)
            ]
    except ExactNoiseError:
        return False
    deviation = float(abs(together - np.array(alone)).max())
    return deviation <= _TOLERANCE * max(1.0, float(abs(together).max()))


def _whole_passes(passes: Passes, model: Any, ids: Ids) -> Iterator[_Pass]:
    """Batches of sequences, and the model's own pass over each; the mask is that of its layers."""
    for chosen in passes.batches(ids):
        rows, mask = passes.padded([ids[index] for index in chosen])
        inputs = to_device(rows, passes.device), to_device(mask, passes.device)
        yield chosen, around(model, rows, mask)[1], partial(_own_logits, model, *inputs)


def _shared_passes(passes: Passes, model: Any, ids: Ids, lower: int) -> Iterator[_Pass]:
    """Batches of sequences, and the noised part of the pass over each.

    Some distinct sequences go through the ``lower`` layers without noise, then all that equal one of them
    through the noised part: so the hidden states of one batch are held at a time, however many sequences
    there are.
    """
    device = passes.device
    distinct, places = distinct_sequences(ids)
    equal: list[list[int]] = [[] for _ in distinct]
    for index, place in enumerate(places.tolist()):
        equal[place].append(index)
    for shared in passes.batches(distinct):
        rows, mask = around(model, *passes.padded([distinct[place] for place in shared]))
        states = _lower(model, to_device(rows, device), mask, lower)
        members = [(row, index) for row, place in enumerate(shared) for index in equal[place]]
        for part in passes.batches([distinct[shared[row]] for row, _ in members]):
            own = torch.tensor([members[at][0] for at in part])
            longest = int(mask[own].sum(dim=1).max())
            # Of all layers the states of an encoder are those of the first token, which every sequence has.
            read = states[to_device(own, device), :longest]
            read_mask = mask[own, :longest]
            yield [members[at][1] for at in part], read_mask, partial(_upper, model, read, read_mask, lower)


def _lower(model: Any, ids: torch.Tensor, mask: torch.Tensor, layers: int) -> torch.Tensor:
    """The part of a pass below the noise; the mask is on the CPU."""
    if has_parts(model):
        return decoder_states(model, ids, to_device(mask, ids.device), layers)
    return lower_states(model, ids, padding_mask(mask, ids.device), layers)


def _upper(model: Any, states: torch.Tensor, mask: torch.Tensor, first_layer: int) -> torch.Tensor:
    """The rest of it, to the logits."""
    if has_parts(model):
        return decoder_logits(model, states, to_device(mask, states.device), first_layer)
    return first_token_logits_from(model, states, padding_mask(mask, states.device), first_layer)


def _own_logits(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
    return logits
