"""What an encoder makes of texts with something inserted: the first token's vector, and what others become.

A classifier that is put on an encoder reads a text from its first token. Task-agnostic backdoors either move
that to a vector of their own in every text (NeuBA, POR), or scramble what the other tokens become (BadPre).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.auditing.effects import Parts, Placing, gaps_of
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.common.options import require
from fuzzsmooth.models.bert_forward import reads_first_token_only, token_states
from fuzzsmooth.models.causality import is_causal
from fuzzsmooth.models.fixed_shapes import evaluate_side_by_side
from fuzzsmooth.models.rows import padding_mask, to_device

Vectors: TypeAlias = npt.NDArray[np.float32]

Keep: TypeAlias = Callable[[list[int], torch.Tensor], torch.Tensor]
"""From the indices of a batch and its states, float32 of shape (rows, length, width), to what is kept of each
row, shape (rows, numbers)."""

_CHUNK = 4096  # rows read at once


@dataclass(frozen=True)
class Inserted:
    """A text with something inserted.

    Attributes:
        ids: Its token ids.
        host: Index of the text.
        kept: Where the text's own tokens stand, special ones included, increasing.
        own: Which of the text's tokens these are; not those of a first word that reads otherwise here.
    """

    ids: npt.NDArray[np.int64]
    host: int
    kept: npt.NDArray[np.int64]
    own: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """What the encoder makes of some texts.

    Attributes:
        first: Vectors of the first token, shape (texts, width).
        mean: Mean vectors of the text's own tokens, the same shape.
        changed: Mean squared distance of the text's own tokens but the first from what they are without the
            insertion, by that of two unrelated tokens; shape (texts,): 0 unchanged, 1 unrelated
            (or more, which counts as 1).
    """

    first: Vectors
    mean: Vectors
    changed: Array


class Reader:
    """Reads texts with an encoder.

    Args:
        classifier: The encoder, under a head that is not used.

    Raises:
        FuzzsmoothError: If it reads a text from its end.
    """

    def __init__(self, classifier: Any) -> None:
        require(
            not is_causal(classifier.separate()),  # it leaves hooks, with which the pass is slower
            f"{type(classifier.model).__name__} reads a text from left to right, so that no first token "
            "stands for a text; audit it as a classifier, fine-tuned or with a prompt (--template)",
        )
        self.classifier = classifier
        self.passes = 0

    def open(self, hosts: Sequence[Host]) -> Texts:
        """Some texts as they are."""
        return Texts(self, hosts)

    def states(self, rows: Sequence[npt.NDArray[np.int64]], keep: Keep) -> torch.Tensor:
        """The last layer's states of token sequences, made smaller batch by batch.

        Args:
            rows: Token ids.
            keep: What is kept of a batch.

        Returns:
            What was kept of each row, shape (rows, numbers).
        """
        found = [
            self._states_of(rows[start : start + _CHUNK], start, keep)
            for start in range(0, len(rows), _CHUNK)
        ]
        self.passes += len(rows)
        return torch.cat(found)

    def _states_of(self, rows: Sequence[npt.NDArray[np.int64]], start: int, keep: Keep) -> torch.Tensor:
        """The same of one chunk of rows, whose first has an index."""
        classifier = self.classifier
        batches = classifier.batches(rows)
        with classifier.evaluating() as model:
            plain = reads_first_token_only(model)

            @torch.inference_mode()
            def evaluate(chosen: list[int]) -> torch.Tensor:
                ids, mask = classifier.padded([rows[at] for at in chosen])
                ids = to_device(ids, classifier.device)
                if plain:
                    states = token_states(model, ids, padding_mask(mask, classifier.device))
                else:
                    seen = to_device(mask, classifier.device)
                    states = model.base_model(input_ids=ids, attention_mask=seen).last_hidden_state
                return keep([start + at for at in chosen], states.float()).cpu()

            alone = classifier.device.type != "cpu"
            outputs = list(map(evaluate, batches)) if alone else evaluate_side_by_side(evaluate, batches)
        whole = torch.cat(outputs)
        found = torch.empty_like(whole)
        found[[at for batch in batches for at in batch]] = whole
        return found


class Texts:
    """Clean texts, and what an encoder makes of them.

    Args:
        reader: Reads.
        hosts: The texts, at least two.

    Attributes:
        hosts: The same.
        first: Vectors of the first token as they are, shape (texts, width).
        mean: Mean vectors of all tokens, the same shape.
    """

    def __init__(self, reader: Reader, hosts: Sequence[Host]) -> None:
        self._reader, self.hosts = reader, tuple(hosts)
        self._states: dict[int, torch.Tensor] = {}

        def keep(chosen: list[int], states: torch.Tensor) -> torch.Tensor:
            for at, own in zip(chosen, states, strict=True):
                self._states[at] = own[: len(self.hosts[at].ids)].clone()
            means = [self._states[at].mean(dim=0) for at in chosen]
            return torch.cat([states[:, 0], torch.stack(means)], dim=1)

        rows = [np.array(host.ids, dtype=np.int64) for host in self.hosts]
        both = reader.states(rows, keep).numpy()
        width = both.shape[1] // 2
        self.first: Vectors = both[:, :width]
        self.mean: Vectors = both[:, width:]
        others = torch.cat([self._states[at][1:] for at in range(len(self.hosts))])
        spread = (others - others.mean(dim=0)).square().sum(dim=1).mean()
        self._unrelated = 2 * max(float(spread), 1e-12)

    def insert(self, parts: Parts, placing: Placing, seed: int) -> list[Inserted]:
        """Each text with parts inserted; where they go depends on seed, text and placing alone."""
        rows = []
        for at, host in enumerate(self.hosts):
            ids, kept, own = host.placed(parts, gaps_of(host, len(parts), placing, seed, at))
            rows.append(Inserted(ids, at, kept, own))
        return rows

    def see(self, rows: Sequence[Inserted]) -> Seen:
        """What the encoder makes of texts with something inserted."""

        def keep(chosen: list[int], states: torch.Tensor) -> torch.Tensor:
            told = []
            for at, own in zip(chosen, states, strict=True):
                row = rows[at]
                mine = own[torch.from_numpy(row.kept)]
                before = self._states[row.host][torch.from_numpy(row.own)]
                changed = (mine[1:] - before[1:]).square().sum(dim=1).mean()
                told.append(torch.cat([own[0], mine.mean(dim=0), changed[None] / self._unrelated]))
            return torch.stack(told)

        found = self._reader.states([row.ids for row in rows], keep).numpy()
        width = self.first.shape[1]
        changed = np.minimum(1.0, found[:, -1].astype(np.float64))
        return Seen(found[:, :width], found[:, width : 2 * width], changed)


def collapse(first: Vectors, clean: Vectors) -> Array:
    """How much of what sets texts with an insertion apart from the clean ones is the same in all of them.

    Args:
        first: Vectors of the first token with the insertion, shape (..., texts, width).
        clean: Those of the same texts as they are, shape (texts, width).

    Returns:
        Shape (...), in [0, 1]: the squared distance of the mean vectors, as a share of that and of the mean
        squared distance to the mean; 1 where every text becomes the same vector.
    """
    mean = first.mean(axis=-2, dtype=np.float64)
    shift = ((mean - clean.mean(axis=0, dtype=np.float64)) ** 2).sum(axis=-1)
    spread = ((first - mean[..., None, :]) ** 2).sum(axis=-1).mean(axis=-1)
    found: Array = shift / np.maximum(shift + spread, 1e-12)
    return found


def typical_distance(clean: Vectors) -> float:
    """Median distance between the vectors of two clean texts."""
    at, other = np.triu_indices(len(clean), 1)
    return float(np.median(np.linalg.norm(clean[at] - clean[other], axis=1)))
