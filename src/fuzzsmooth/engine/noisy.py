"""Evaluating a Hugging Face classifier under fresh parameter noise for each text."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.func import functional_call

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.engine.tokens import SlowPathWarning
from fuzzsmooth.models.bert_forward import first_token_logits_from, lower_states, reads_first_token_only
from fuzzsmooth.models.devices import Precision
from fuzzsmooth.models.encoding import EncodedTexts
from fuzzsmooth.models.huggingface import HuggingFaceClassifier, softmax
from fuzzsmooth.models.protocol import Probabilities, WeightNoise
from fuzzsmooth.models.rows import Tokens, distinct_sequences, padding_mask, to_device
from fuzzsmooth.noise.weight import (
    ExactNoiseError,
    block_count,
    drawn_weights,
    exact_weight_noise,
    noised_layers,
)

_Pass: TypeAlias = tuple[list[int], torch.Tensor, Callable[[], torch.Tensor]]
"""Indices of the sequences of one batch, its attention mask, and the pass that gives their logits."""

_Logits: TypeAlias = npt.NDArray[np.float32]

# Two texts of two lengths and two of one, to try the exact sampler on.
_PROBES = ("a good film", "a bad film that is long", "a bad film that is dull")
_PROBE_SIGMA = 0.02
_TOLERANCE = 1e-3  # of the largest logit; the noise of another text makes far more


class NoisyHuggingFaceClassifier:
    """Adds parameter noise to a classifier: the K noisy copies of FRS Eq. 5, none of them stored.

    Noise is drawn in activation space, for a whole batch at once. Models that this does not suit (a weight
    used twice in one pass, other kinds of layers) get weights drawn anew for every sequence: the same law,
    many times slower.

    Args:
        classifier: The classifier; its weights are never touched.
    """

    def __init__(self, classifier: HuggingFaceClassifier) -> None:
        self._classifier = classifier
        self._suits: dict[int, bool] = {}  # by the number of noised layers: whether one pass serves a batch

    deterministic = True  # under given seeds

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

    @property
    def fixed_shapes(self) -> bool:
        """Whether sequences without noise are evaluated in batches of fixed shapes."""
        return self._classifier.fixed_shapes

    def reproducible(self) -> NoisyHuggingFaceClassifier:
        """The same classifier in float32 and, without noise, in fixed shapes where that is to be had."""
        return NoisyHuggingFaceClassifier(self._classifier.reproducible())

    def in_precision(self, precision: Precision) -> NoisyHuggingFaceClassifier:
        """The same classifier with another number type of the passes."""
        return NoisyHuggingFaceClassifier(self._classifier.in_precision(precision))

    @property
    def tokenizer(self) -> Any:
        """The classifier's tokenizer."""
        return self._classifier.tokenizer

    def save(self, folder: str | Path, beside: Callable[[Path], None] = lambda _folder: None) -> Path:
        """Write the classifier under the noise; see :meth:`fuzzsmooth.models.HuggingFaceClassifier.save`."""
        return self._classifier.save(folder, beside)

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

        What is below the noise is a function of the sequence alone. Of models that
        :func:`~fuzzsmooth.models.bert_forward.reads_first_token_only` knows it is computed once per distinct
        sequence, of others once per draw. Each draw counts in the classifier's ``forward_count``.

        Args:
            ids: Non-empty token id sequences, special tokens included.
            noise: Scale and place of the noise.
            seeds: One 63-bit seed per sequence; a row is a function of (sequence, noise, seed) alone.

        Raises:
            FuzzsmoothError: If the noise makes the model's outputs infinite.
        """
        inner = self._classifier
        top_layers = noised_layers(inner.model, noise.top_layers)
        with torch.inference_mode(), inner.evaluating() as model:
            if self._suits_batches(model, top_layers):
                result = self._batched(model, ids, top_layers, noise.sigma, seeds)
            else:
                result = self._one_by_one(model, ids, top_layers, noise.sigma, seeds)
        inner.forward_count += len(ids)
        if not np.isfinite(result).all():
            raise FuzzsmoothError(
                f"the outputs are not finite under parameter noise of sigma={noise.sigma:g}; lower sigma"
            )
        return result

    def _batched(
        self,
        model: Any,
        ids: Sequence[Sequence[int] | Tokens],
        top_layers: int,
        sigma: float,
        seeds: Sequence[int],
    ) -> _Logits:
        """Logits by the exact sampler: the noises of a whole batch in one pass."""
        passes = (
            self._shared_passes(model, ids, block_count(model) - top_layers)
            if reads_first_token_only(model)
            else self._whole_passes(model, ids)
        )
        outputs: list[tuple[list[int], torch.Tensor]] = []
        for chosen, mask, forward in passes:
            with exact_weight_noise(model, top_layers, sigma, [seeds[at] for at in chosen], mask):
                outputs.append((chosen, forward()))
        result = np.empty((len(ids), len(self.labels)), dtype=np.float32)
        for chosen, output in outputs:
            result[chosen] = output.float().cpu().numpy()
        return result

    def _one_by_one(
        self,
        model: Any,
        ids: Sequence[Sequence[int] | Tokens],
        top_layers: int,
        sigma: float,
        seeds: Sequence[int],
    ) -> _Logits:
        """Logits under weights that are drawn for each sequence by itself."""
        inner = self._classifier
        result = np.empty((len(ids), len(self.labels)), dtype=np.float32)
        for at, (row, seed) in enumerate(zip(ids, seeds, strict=True)):
            tokens, mask = inner.padded([row])
            inputs = {
                "input_ids": to_device(tokens, inner.device),
                "attention_mask": to_device(mask, inner.device),
            }
            weights = drawn_weights(model, top_layers, sigma, seed)
            result[at] = functional_call(model, weights, kwargs=inputs).logits[0].float().cpu().numpy()
        return result

    def _suits_batches(self, model: Any, top_layers: int) -> bool:
        """Whether the exact sampler suits a model: decided once, on texts of its own."""
        if top_layers not in self._suits:
            # A property of the architecture, not of rounding.
            judge = NoisyHuggingFaceClassifier(self._classifier.in_precision("float32"))
            self._suits[top_layers] = reads_first_token_only(model) or judge._samples_exactly(top_layers)
            if not self._suits[top_layers]:
                warnings.warn(
                    f"the exact sampler of parameter noise does not suit {type(model).__name__}: weights "
                    "are drawn anew for every draw of every text, many times slower and with the same law",
                    SlowPathWarning,
                    stacklevel=3,
                )
        return self._suits[top_layers]

    def _samples_exactly(self, top_layers: int) -> bool:
        """Try the exact sampler on some texts: together, and each alone under the same seed.

        A layer that reads tokens in another layout could take one sample's noise for another's.
        """
        rows = self.encode(_PROBES).ids
        try:
            with self._classifier.evaluating() as model:
                together = self._batched(model, rows, top_layers, _PROBE_SIGMA, range(len(rows)))
                alone = [
                    self._batched(model, [row], top_layers, _PROBE_SIGMA, [seed])[0]
                    for seed, row in enumerate(rows)
                ]
        except ExactNoiseError:
            return False
        deviation = float(abs(together - np.array(alone)).max())
        return deviation <= _TOLERANCE * max(1.0, float(abs(together).max()))

    def _whole_passes(self, model: Any, ids: Sequence[Sequence[int] | Tokens]) -> Iterator[_Pass]:
        """Batches of sequences, and the model's own pass over each."""
        inner = self._classifier
        for chosen in inner.batches(ids):
            rows, mask = inner.padded([ids[index] for index in chosen])
            forward = partial(
                _own_logits, model, to_device(rows, inner.device), to_device(mask, inner.device)
            )
            yield chosen, mask, forward

    def _shared_passes(
        self, model: Any, ids: Sequence[Sequence[int] | Tokens], lower: int
    ) -> Iterator[_Pass]:
        """Batches of sequences, and the noised part of the pass over each.

        Some distinct sequences go through the ``lower`` layers without noise, then all that equal one of
        them through the noised part: so the hidden states of one batch are held at a time, however many
        sequences there are.
        """
        inner = self._classifier
        distinct, places = distinct_sequences(ids)
        equal: list[list[int]] = [[] for _ in distinct]
        for index, place in enumerate(places.tolist()):
            equal[place].append(index)
        for shared in inner.batches(distinct):
            rows, mask = inner.padded([distinct[place] for place in shared])
            states = lower_states(
                model, to_device(rows, inner.device), padding_mask(mask, inner.device), lower
            )
            members = [(row, index) for row, place in enumerate(shared) for index in equal[place]]
            for part in inner.batches([distinct[shared[row]] for row, _ in members]):
                own = torch.tensor([members[at][0] for at in part])
                longest = len(distinct[shared[members[part[0]][0]]])
                # Of all layers the states are those of the first token, which every sequence has.
                read = states[to_device(own, inner.device), :longest]
                read_mask = mask[own, :longest]
                seen = padding_mask(read_mask, inner.device)
                forward = partial(first_token_logits_from, model, read, seen, lower)
                yield [members[at][1] for at in part], read_mask, forward


def _own_logits(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
    return logits
