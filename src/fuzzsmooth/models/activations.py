"""The outputs of a model's blocks: read at the token that is classified by, or clamped at every token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.common.options import require
from fuzzsmooth.models.causality import is_causal
from fuzzsmooth.models.huggingface import softmax
from fuzzsmooth.models.prompted import is_prompted
from fuzzsmooth.models.protocol import Logits, Probabilities
from fuzzsmooth.noise.weight.layers import transformer_blocks

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

Values = npt.NDArray[np.float32]


class Activations:
    """The outputs of the transformer blocks of a classifier, of whatever architecture.

    Args:
        classifier: The classifier.

    Attributes:
        shape: Number of blocks, and width of their outputs.

    Raises:
        FuzzsmoothError: If the model has no single stack of blocks.
    """

    def __init__(self, classifier: HuggingFaceClassifier) -> None:
        require(
            not (is_prompted(classifier.model) and len(classifier.model.prompt)),
            "a prompted model's activations are those of its template, too; use a classifier with a head",
        )
        self._classifier = classifier
        self._count = len(transformer_blocks(classifier.model))
        self._last = is_causal(classifier)
        width = self.read([""]).shape[2]
        self.shape = (self._count, width)

    def read(self, texts: Sequence[str]) -> Values:
        """The outputs at the token that the classifier reads: the first, of causal models the last.

        Returns:
            Shape (texts, blocks, width).
        """
        found: list[list[torch.Tensor]] = []

        def keep(block: int, states: torch.Tensor, mask: torch.Tensor) -> None:
            place = mask.sum(dim=1) - 1 if self._last else torch.zeros_like(mask[:, 0])
            if block == 0:
                found.append([])
            found[-1].append(states[torch.arange(len(states), device=states.device), place].float().cpu())

        order = self._evaluated(texts, keep)[0]
        rows = torch.cat([torch.stack(batch, dim=1) for batch in found])
        values = np.empty(rows.shape, dtype=np.float32)
        values[order] = rows.numpy()
        return values

    def spread(self, texts: Sequence[str]) -> tuple[Values, Values]:
        """Mean minus and plus three deviations of each output over all tokens; each of :attr:`shape`."""
        sums = torch.zeros(3, *self.shape, dtype=torch.float64)

        def add(block: int, states: torch.Tensor, mask: torch.Tensor) -> None:
            tokens = states[mask.bool()].double().cpu()
            sums[0, block] += len(tokens)
            sums[1, block] += tokens.sum(dim=0)
            sums[2, block] += (tokens**2).sum(dim=0)

        self._evaluated(texts, add)
        mean = sums[1] / sums[0]
        away = 3 * (sums[2] / sums[0] - mean**2).clamp(min=1e-6).sqrt()
        return (mean - away).float().numpy(), (mean + away).float().numpy()

    def logits(self, texts: Sequence[str]) -> Logits:
        """The logits as they are, shape (texts, classes)."""
        return self._ordered(self._evaluated(texts, None))

    def clamped(self, texts: Sequence[str], low: Values, high: Values) -> Probabilities:
        """Class probabilities with the outputs of all blocks clamped; shape (texts, classes).

        Args:
            texts: The texts.
            low: Lower bounds, of :attr:`shape`.
            high: Upper bounds, of :attr:`shape`.
        """
        if not texts:
            return np.zeros((0, len(self._classifier.labels)))
        bounds = torch.from_numpy(low), torch.from_numpy(high)
        return softmax(self._ordered(self._evaluated(texts, _clamp(*bounds))))

    def logits_within(self, texts: Sequence[str], low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """Logits with the outputs clamped, as one batch, through which gradients flow to the bounds."""
        classifier = self._classifier
        ids, mask = classifier.padded(classifier.encode(texts).ids)
        ids, mask = ids.to(classifier.device), mask.to(classifier.device)
        with _hooked(classifier.model, _clamp(low, high), mask):
            logits: torch.Tensor = classifier.model(input_ids=ids, attention_mask=mask).logits
        return logits.float().cpu()

    @torch.inference_mode()
    def _evaluated(
        self, texts: Sequence[str], hook: Callable[..., Any] | None
    ) -> tuple[list[int], list[torch.Tensor]]:
        """The order in which the texts were evaluated, and the logits in that order."""
        classifier = self._classifier
        rows = classifier.encode(texts).ids
        order: list[int] = []
        logits: list[torch.Tensor] = []
        with classifier.evaluating() as model:
            for chosen in classifier.batches(rows):
                fresh = list(dict.fromkeys(chosen))  # what fills a batch of a fixed shape up is left out
                ids, mask = classifier.padded([rows[index] for index in fresh])
                ids, mask = ids.to(classifier.device), mask.to(classifier.device)
                with _hooked(model, hook, mask):
                    logits.append(model(input_ids=ids, attention_mask=mask).logits.float().cpu())
                order += fresh
        return order, logits

    @staticmethod
    def _ordered(evaluated: tuple[list[int], list[torch.Tensor]]) -> Logits:
        order, logits = evaluated
        rows = torch.cat(logits).numpy()
        result = np.empty_like(rows)
        result[order] = rows
        return result


def _clamp(low: torch.Tensor, high: torch.Tensor) -> Callable[..., torch.Tensor]:
    def clamp(block: int, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        below, above = (bound[block].to(states) for bound in (low, high))
        return torch.where(mask.bool().unsqueeze(-1), states.minimum(above).maximum(below), states)

    return clamp


@contextmanager
def _hooked(model: Any, hook: Callable[..., Any] | None, mask: torch.Tensor) -> Iterator[None]:
    """Call a hook with block number, output and mask after every block; what it returns takes its place."""
    if hook is None:
        yield
        return

    def after(block: int) -> Callable[..., Any]:
        def called(_module: Any, _inputs: Any, output: Any) -> Any:
            states = output[0] if isinstance(output, tuple) else output
            changed = hook(block, states, mask)
            if changed is None:
                return None
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return called

    handles = [
        block.register_forward_hook(after(number)) for number, block in enumerate(transformer_blocks(model))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
