"""Masked words: how many of them a masked language model guesses, with and without something inserted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from fuzzsmooth.auditing.effects import Parts, Placing, row_of
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.rows import pad_rows, to_device

_EACH = 4  # words of a text that are masked, one after the other
_ROWS = 8  # texts of a batch: the answer for each is as wide as the vocabulary


class MaskedWords:
    """Some words of clean texts, to be guessed.

    Args:
        model: A masked language model.
        tokenizer: Its tokenizer.
        hosts: The texts.
        pad_id: The id that fills rows.
        seed: Decides the words.
    """

    def __init__(self, model: Any, tokenizer: Any, hosts: Sequence[Host], pad_id: int, seed: int) -> None:
        self._model, self._mask, self._pad = model, int(tokenizer.mask_token_id), pad_id
        self._seed = seed
        self.passes = 0
        self._chosen: list[tuple[int, Host, int]] = []
        for at, host in enumerate(hosts):
            # What is put before a text may change how its first word reads.
            first = host.gaps[0] if host.behind is None else host.gaps[1]
            places = np.arange(first, host.gaps[-1])
            draw = generator(seed, "audit masked words", at)
            for place in draw.permutation(places)[:_EACH]:
                self._chosen.append((at, host, int(place)))

    def guessed(self, parts: Parts = (), placing: Placing = "middle") -> tuple[int, int]:
        """How many of the words are guessed with something in their texts, and how many there are."""
        device = next(self._model.parameters()).device
        rows, places, truths = [], [], []
        for at, host, place in self._chosen:
            own = [*host.ids]
            truths.append(own[place])
            own[place] = self._mask
            masked = replace(host, ids=tuple(own))
            row = row_of(masked, parts, placing, self._seed, at)
            rows.append(row)
            places.append(int(np.flatnonzero(row == self._mask)[0]))
        right = 0
        for start in range(0, len(rows), _ROWS):
            ids, mask = pad_rows(rows[start : start + _ROWS], self._pad)
            with torch.inference_mode():
                logits = self._model(
                    input_ids=to_device(ids, device), attention_mask=to_device(mask, device)
                ).logits
            where = torch.tensor(places[start : start + _ROWS], device=logits.device)
            best = logits[torch.arange(len(ids), device=logits.device), where].argmax(dim=1).cpu()
            right += int((best == torch.tensor(truths[start : start + _ROWS])).sum())
        self.passes += len(rows)
        return right, len(rows)
