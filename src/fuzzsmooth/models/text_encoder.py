"""Sentence embeddings of an encoder: the mean of its last hidden states, scaled to length 1.

Reimers and Gurevych, EMNLP 2019. The encoder is one that its user trusts, never the suspect model.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.models.heads import head_labels
from fuzzsmooth.models.huggingface import HuggingFaceClassifier
from fuzzsmooth.models.loading import load_classifier
from fuzzsmooth.models.rows import to_device

Embeddings: TypeAlias = npt.NDArray[np.float32]
"""Shape (texts, dimensions); rows of length 1."""

_TOKENS = 128  # of a text; what is longer is cut


class TextEncoder:
    """An encoder that gives embeddings of texts.

    Args:
        passes: The model, under a classifier head that is not used.
    """

    def __init__(self, passes: HuggingFaceClassifier) -> None:
        self._passes = passes
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of weights, configuration and tokenizer."""
        if self._fingerprint is None:
            self._fingerprint = self._passes.fingerprint
        return self._fingerprint

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Embeddings:
        """The embedding of each text; the empty one has that of its special tokens."""
        passes = self._passes
        ids = passes.encode(texts).ids
        rows: list[Any] = [None] * len(ids)
        with passes.evaluating() as model:
            for chosen in passes.batches(ids):
                tokens, mask = passes.padded([ids[index] for index in chosen])
                tokens, mask = to_device(tokens, passes.device), to_device(mask, passes.device)
                states = model.base_model(input_ids=tokens, attention_mask=mask)[0].float()
                weights = mask[..., None].float()
                means = (states * weights).sum(1) / weights.sum(1)
                for index, row in zip(chosen, torch.nn.functional.normalize(means, dim=-1), strict=True):
                    rows[index] = row.cpu().numpy()
        width = int(passes.model.config.hidden_size)
        return np.array(rows, dtype=np.float32).reshape(len(ids), width)


@lru_cache(maxsize=2)
def load_encoder(name: str) -> TextEncoder:
    """Load an encoder by the rules of :func:`fuzzsmooth.models.load_classifier`; kept for the next call.

    Args:
        name: ``builtin:minilm``, a local folder, or a hub name.

    Raises:
        FuzzsmoothError: If it is missing, damaged or could run code.
    """
    # In fixed shapes an embedding is a function of the text alone, as what is searched may be deleted text.
    fresh = 2 if head_labels(name) is None else None  # a head of any size does, for it is not used
    loaded = load_classifier(name, num_labels=fresh, max_length=_TOKENS, batch_size=64)
    return TextEncoder(loaded.reproducible())
