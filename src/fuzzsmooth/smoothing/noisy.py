"""Evaluating a Hugging Face classifier under fresh parameter noise for each text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.bert_forward import first_token_logits, reads_first_token_only
from fuzzsmooth.models.devices import Precision
from fuzzsmooth.models.encoding import EncodedTexts
from fuzzsmooth.models.huggingface import HuggingFaceClassifier, Tokens, pad_rows, softmax, to_device
from fuzzsmooth.models.protocol import Probabilities, WeightNoise
from fuzzsmooth.noise.weight import exact_weight_noise
from fuzzsmooth.noise.weight.layers import noised_layers


class NoisyHuggingFaceClassifier:
    """Adds parameter noise to a classifier: the K noisy copies of FRS Eq. 5, none of them stored.

    Args:
        classifier: The classifier; its weights are never touched.
    """

    def __init__(self, classifier: HuggingFaceClassifier) -> None:
        self._classifier = classifier

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names."""
        return self._classifier.labels

    @property
    def fingerprint(self) -> str:
        """The classifier's fingerprint."""
        return self._classifier.fingerprint

    @property
    def precision(self) -> Precision:
        """Number type of the passes: ``float32`` or ``bfloat16``."""
        return self._classifier.precision

    def in_precision(self, precision: Precision) -> NoisyHuggingFaceClassifier:
        """The same classifier with another number type of the passes."""
        return NoisyHuggingFaceClassifier(self._classifier.in_precision(precision))

    @property
    def tokenizer(self) -> Any:
        """The classifier's tokenizer."""
        return self._classifier.tokenizer

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is longer than the model reads."""
        return self._classifier.truncated(texts)

    @property
    def max_length(self) -> int:
        """Where texts are cut, in tokens with the special ones."""
        return self._classifier.max_length

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """Token ids of texts, cut at ``max_length``, and which were cut."""
        return self._classifier.encode(texts)

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Class probabilities without noise, shape (texts, classes)."""
        return self._classifier.probabilities(texts)

    def logits_of_ids(self, ids: Sequence[Sequence[int] | Tokens]) -> npt.NDArray[np.float32]:
        """Logits of token sequences without noise, shape (len(ids), classes)."""
        return self._classifier.logits_of_ids(ids)

    def logits_of_batch(self, ids: Sequence[Sequence[int] | Tokens]) -> npt.NDArray[np.float32]:
        """Logits of token sequences without noise, evaluated in one padded call."""
        return self._classifier.logits_of_batch(ids)

    def noisy_probabilities(
        self, texts: Sequence[str], noise: WeightNoise, seeds: Sequence[int]
    ) -> Probabilities:
        """Class probabilities of each text under its own noise draw, shape (texts, classes).

        Raises:
            FuzzsmoothError: If the noise makes the model's outputs infinite.
        """
        return softmax(self.noisy_logits_of_ids(self._classifier.encode(texts).ids, noise, seeds))

    def noisy_logits_of_ids(
        self, ids: Sequence[Sequence[int] | Tokens], noise: WeightNoise, seeds: Sequence[int]
    ) -> npt.NDArray[np.float32]:
        """Logits of token sequences, each under its own noise draw, shape (len(ids), classes).

        Args:
            ids: Non-empty token id sequences, special tokens included.
            noise: Scale and place of the noise.
            seeds: One 63-bit seed per sequence; a row is a function of (sequence, noise, seed) alone.

        Raises:
            FuzzsmoothError: If the noise makes the model's outputs infinite.
        """
        inner = self._classifier
        top_layers = noised_layers(inner.model, noise.top_layers)
        result = np.empty((len(ids), len(inner.labels)), dtype=np.float32)
        with torch.inference_mode(), inner.evaluating() as model:
            first_only = reads_first_token_only(model)
            for chosen in inner.batches(ids):
                rows, mask = pad_rows([ids[index] for index in chosen], inner.pad_id)
                padded = not bool(mask.all())
                rows, seen = to_device(rows, inner.device), to_device(mask, inner.device)
                own = [seeds[index] for index in chosen]
                with exact_weight_noise(model, top_layers, noise.sigma, own, mask):
                    output = (
                        first_token_logits(model, rows, seen if padded else None)
                        if first_only
                        else model(input_ids=rows, attention_mask=seen).logits
                    )
                result[chosen] = output.float().cpu().numpy()
                inner.forward_count += len(chosen)
        if not np.isfinite(result).all():
            raise FuzzsmoothError(
                f"the outputs are not finite under parameter noise of sigma={noise.sigma:g}; lower sigma"
            )
        return result
