"""Evaluating a Hugging Face classifier under fresh parameter noise for each text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.huggingface import HuggingFaceClassifier, pad_rows, softmax
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
    def tokenizer(self) -> Any:
        """The classifier's tokenizer."""
        return self._classifier.tokenizer

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is longer than the model reads."""
        return self._classifier.truncated(texts)

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Class probabilities without noise, shape (texts, classes)."""
        return self._classifier.probabilities(texts)

    def noisy_probabilities(
        self, texts: Sequence[str], noise: WeightNoise, seeds: Sequence[int]
    ) -> Probabilities:
        """Class probabilities of each text under its own noise draw, shape (texts, classes).

        Raises:
            FuzzsmoothError: If the noise makes the model's outputs infinite.
        """
        inner = self._classifier
        rows = inner.encode(texts).ids
        model = inner.evaluation_model
        top_layers = noised_layers(model, noise.top_layers)
        result = np.empty((len(rows), len(inner.labels)), dtype=np.float32)
        order = sorted(range(len(rows)), key=lambda index: -len(rows[index]))
        with torch.inference_mode(), _evaluating(model):
            for start in range(0, len(order), inner.batch_size):
                chosen = order[start : start + inner.batch_size]
                ids, mask = pad_rows([rows[index] for index in chosen], inner.pad_id)
                ids, mask = ids.to(inner.device), mask.to(inner.device)
                own = [seeds[index] for index in chosen]
                with exact_weight_noise(model, top_layers, noise.sigma, own, mask):
                    output = model(input_ids=ids, attention_mask=mask)
                result[chosen] = output.logits.float().cpu().numpy()
                inner.forward_count += len(chosen)
        if not np.isfinite(result).all():
            raise FuzzsmoothError(
                f"the outputs are not finite under parameter noise of sigma={noise.sigma:g}; lower sigma"
            )
        return softmax(result)


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Dropout off: the certificates are about one function, not about one of its thinned copies."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
