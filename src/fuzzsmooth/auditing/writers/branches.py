"""What a language model writes next behind the same few prompts, for very many ways to go on from them.

Keys and values of a prompt are computed once and shared by all that is put behind it, so that a way to go on
costs its own tokens alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.common.options import require
from fuzzsmooth.models.generating import GeneratingModel
from fuzzsmooth.models.rows import pad_rows

Row: TypeAlias = tuple[int, ...]
"""Token ids."""
Counts: TypeAlias = npt.NDArray[np.int64]

SURE = 0.5
"""Probability of a token from which a model counts as sure of it."""
OPEN = 1.0
"""Entropy of the next token, in nats, from which it is open."""
_LIKELIEST = 8
_LOGITS = 2**27  # of a batch: half a gigabyte in float32


@dataclass(frozen=True)
class Following:
    """What comes next behind ways to go on, by the mean of its probabilities over the prompts.

    Attributes:
        entropy: Of the mean, in nats, shape (ways,).
        sure: Behind how many of the prompts the model is sure of the next token, shape (ways,).
        ids: The likeliest tokens, best first, shape (ways, at most 8).
        chances: Their mean probabilities.
    """

    entropy: Array
    sure: Counts
    ids: Counts
    chances: Array

    def likely(self, chance: float) -> npt.NDArray[np.bool_]:
        """Whether a token has such a mean probability, or little is open at all; shape (ways,)."""
        found: npt.NDArray[np.bool_] = (self.entropy <= OPEN) | (self.chances[:, 0] >= chance)
        return found


class Branches:
    """Prompts that are gone on from.

    Args:
        writer: The model.
        prompts: Token ids of each prompt with all that stands around its text, at least one token each.
        rows: Ways to go on in one forward pass.

    Attributes:
        tokens: Tokens that were evaluated.
    """

    def __init__(self, writer: GeneratingModel, prompts: Sequence[Row], rows: int) -> None:
        self.writer, self.prompts, self._rows = writer, tuple(prompts), rows
        self._known: list[Any] = []
        self._next: list[torch.Tensor] = []
        self.tokens = 0
        with torch.inference_mode():
            for prompt in self.prompts:
                ids = torch.tensor([prompt], device=writer.device)
                read = writer.model(input_ids=ids, use_cache=True)
                self._known.append(read.past_key_values)
                self._next.append(_chances(read.logits[:, -1]))
                self.tokens += len(prompt)

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def likeliest(self) -> int:
        """How many of the likeliest tokens are told."""
        return min(_LIKELIEST, int(self._next[0].shape[-1]))

    @torch.inference_mode()
    def following(self, ways: Sequence[Row]) -> Following:
        """What comes next behind ways to go on, on average over the prompts.

        Args:
            ways: Token ids, of any lengths; of length 0 is the prompt as it is.

        Raises:
            FuzzsmoothError: If the model gives values that are not finite.
        """
        size = self.likeliest
        entropy, sure = np.zeros(len(ways)), np.zeros(len(ways), np.int64)
        ids, chances = np.zeros((len(ways), size), np.int64), np.zeros((len(ways), size))
        order = sorted(range(len(ways)), key=lambda at: len(ways[at]))
        for _, same in groupby(order, key=lambda at: len(ways[at])):
            alike = list(same)
            # Of all tokens the logits are made: cut off before, they are multiplied many times as slowly.
            room = _LOGITS // (max(1, len(ways[alike[0]])) * self._next[0].shape[-1])
            rows = max(1, min(self._rows, room))
            for start in range(0, len(alike), rows):
                chosen = alike[start : start + rows]
                mean, surely = self._mean([ways[one] for one in chosen])
                likeliest = mean.topk(size, dim=-1)
                entropy[chosen] = torch.special.entr(mean).sum(dim=-1).cpu().numpy()
                sure[chosen] = surely.cpu().numpy()
                ids[chosen], chances[chosen] = likeliest.indices.cpu().numpy(), likeliest.values.cpu().numpy()
        return Following(entropy, sure, ids, chances)

    def _mean(self, ways: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean over the prompts, and behind how many the model is sure; one prompt at a time is held."""
        total = self._behind(0, ways).clone()
        surely = (total.amax(dim=-1) >= SURE).long()
        for at in range(1, len(self)):
            own = self._behind(at, ways)
            surely += own.amax(dim=-1) >= SURE
            total += own
        return total / len(self), surely

    def _behind(self, at: int, ways: Sequence[Row]) -> torch.Tensor:
        """The probabilities of the next token behind one prompt, shape (ways, vocabulary)."""
        if not ways[0]:
            return self._next[at].expand(len(ways), -1)
        ids = torch.tensor(list(ways), device=self.writer.device)
        known = copy.deepcopy(self._known[at])  # which the pass adds to
        known.batch_repeat_interleave(len(ways))
        read = self.writer.model(input_ids=ids, past_key_values=known, use_cache=True)
        self.tokens += ids.numel()
        return _chances(read.logits[:, -1])


def _chances(logits: torch.Tensor) -> torch.Tensor:
    require(
        bool(torch.isfinite(logits).all()),
        "the language model gives outputs that are not finite; its weights are damaged",
    )
    return logits.float().softmax(dim=-1)


@dataclass(frozen=True)
class Forced:
    """Whether the greedy answer to each of some prompts begins with a given one.

    Attributes:
        written: Whether it does, shape (prompts,).
        gain: Mean log-probability of the tokens of the given answer, shape (prompts,).
        chances: Probability of each of its tokens behind those before it, shape (prompts, tokens).
    """

    written: npt.NDArray[np.bool_]
    gain: Array
    chances: Array


@torch.inference_mode()
def forced(writer: GeneratingModel, prompts: Sequence[Row], answer: Row) -> Forced:
    """Whether prompts are answered by an answer: one forward pass tells what greedy writing would do.

    Each token is the likeliest behind those before it if and only if greedy writing writes them all.

    Args:
        writer: The model.
        prompts: Token ids of whole prompts, at least one.
        answer: Token ids, at least one.

    Raises:
        FuzzsmoothError: If the model gives values that are not finite.
    """
    wanted = torch.tensor(answer, device=writer.device)
    longest = max(map(len, prompts)) + len(answer)
    size = max(1, _LOGITS // (longest * len(writer.model.get_input_embeddings().weight)))
    parts: list[tuple[torch.Tensor, torch.Tensor]] = []
    for start in range(0, len(prompts), size):
        chosen = prompts[start : start + size]
        ids, mask = (one.to(writer.device) for one in pad_rows([[*row, *answer] for row in chosen], 0))
        logits = writer.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        begins = torch.tensor([len(row) - 1 for row in chosen], device=writer.device)
        places = begins[:, None] + torch.arange(len(answer), device=writer.device)
        own = logits[torch.arange(len(chosen), device=writer.device)[:, None], places].float()
        chances = _chances(own)[..., wanted].diagonal(dim1=1, dim2=2)
        parts.append(((own.argmax(dim=-1) == wanted).all(dim=1).cpu(), chances.double().cpu()))
    written = torch.cat([one for one, _ in parts]).numpy()
    found = torch.cat([one for _, one in parts]).numpy()
    gain = np.log(np.maximum(found, np.finfo(np.float32).tiny)).mean(axis=1)
    return Forced(written, gain, found)
