"""Noised weights that are kept, so that a noisy copy of a model is drawn once; the ones used last are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from torch import Tensor

from fuzzsmooth.noise.weight.perturb import drawn_weights

_BYTES = 2**30
"""Most bytes of weights that are kept: all 20 copies that FRS asks of MiniLM, three of BERT-base."""


class NoisyCopies:
    """Noised weights by what they are a function of; the ones used last are kept, one at least.

    Args:
        limit: Most bytes that are kept.
    """

    def __init__(self, limit: int = _BYTES) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, dict[str, Tensor]] = OrderedDict()

    def clear(self) -> None:
        """Forget all copies; the model has other weights now."""
        self._kept.clear()

    def weights(self, model: Any, top_layers: int, sigma: float, seed: int) -> dict[str, Tensor]:
        """The noised weights of a copy by name, as :func:`drawn_weights` draws them.

        Args:
            model: The model in the number type and on the device of its passes.
            top_layers: As there, like the others.
            sigma: The same.
            seed: The same.
        """
        first = next(model.parameters())
        key = (first.dtype, first.device, top_layers, sigma, seed)
        if key not in self._kept:
            self._kept[key] = drawn_weights(model, top_layers, sigma, seed)
            self._shrink()
        self._kept.move_to_end(key)
        return self._kept[key]

    def _shrink(self) -> None:
        def size(weights: dict[str, Tensor]) -> int:
            return sum(value.numel() * value.element_size() for value in weights.values())

        total = sum(map(size, self._kept.values()))
        while total > self._limit and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            total -= size(oldest)
