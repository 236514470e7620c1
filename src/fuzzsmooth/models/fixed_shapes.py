"""Evaluating token sequences so that each answer is a function of its sequence alone, bit by bit.

Floating-point sums depend on the order of their terms, and kernels choose that order by the shape of a batch:
the same sequence has other last digits beside other ones. A model may be made so that such digits decide (it
cancels everything else at its trigger), so no band that was measured on some texts proves that they do not.

Here a sequence of n tokens is always evaluated in a batch of one shape, (rows for n, n), filled up where
fewer are asked about, and never padded. For a fixed shape kernels do the same operations in the same order
whatever the numbers are, so what a row gives depends on its content only, if it does not depend on its place
in the batch. That is a property of the kernels and of the shape, not of the weights, and is tried out on
random weights, where another order shows in the last digits of nearly every sum. It does not hold where
several threads share a product, because they cut its rows; so each batch has one thread, and batches run side
by side. Then the number of threads makes no difference either, and small batches take half of the time. Where
kernels do not treat rows alike (seen on an Intel processor), each sequence is a batch of its own: slower, and
then there is no place in a batch to depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from typing import Any, TypeVar

import torch

_TOKENS = 48  # in a batch: a search has few sequences of a length
MOST_ROWS = 16  # few: few, as what fills a batch up is thrown away
_TRIED = (2, 9, 20)  # tokens of the sequences that are tried: batches of 16, 5 and 2 rows

ResultT = TypeVar("ResultT")

Forward = Callable[[Any, torch.Tensor], torch.Tensor]
"""From a model and token ids of shape (rows, n), nothing padded, to logits."""


def rows_of(length: int) -> int:
    """Rows of the batches in which sequences of ``length`` tokens are evaluated."""
    return max(1, min(MOST_ROWS, _TOKENS // length))


def fixed_batches(lengths: Sequence[int], most: int = MOST_ROWS) -> list[list[int]]:
    """Indices of sequences in batches of fixed shapes, the longest first; repeated indices fill them up.

    Args:
        lengths: Number of tokens of each sequence, >= 1.
        most: Rows of a batch at most, >= 1.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches: list[list[int]] = []
    for length, same in groupby(order, key=lambda index: lengths[index]):
        run, size = list(same), min(most, rows_of(length))
        for start in range(0, len(run), size):
            batch = run[start : start + size]
            batches.append(batch + batch[:1] * (size - len(batch)))
    return batches


def evaluate_side_by_side(
    evaluate: Callable[[list[int]], torch.Tensor], batches: Sequence[list[int]]
) -> list[torch.Tensor]:
    """Evaluate batches, each by one thread, as many at once as PyTorch has threads.

    Args:
        evaluate: Evaluates a batch.
        batches: The batches.

    Returns:
        The result of each, in order.
    """
    with _one_thread_each() as threads:
        if min(threads, len(batches)) < 2:
            return list(map(evaluate, batches))
        with ThreadPoolExecutor(min(threads, len(batches))) as pool:
            return list(pool.map(evaluate, batches))


def one_threaded(compute: Callable[[], ResultT]) -> ResultT:
    """What a computation gives with one thread, which is the same however many there are."""
    with _one_thread_each():
        return compute()


@contextmanager
def _one_thread_each() -> Iterator[int]:
    """Have operations computed by the thread that asks for them; gives the number of threads there were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
def alike_rows(model: Any, forward: Forward, longest: int) -> int:
    """How many rows a batch may have so that a row's logits are the same, bit by bit, whatever else is asked.

    Args:
        model: The model; its weights are neither read nor changed, random ones are put in their place.
        forward: How it is evaluated.
        longest: Most tokens that it reads.

    Returns:
        :data:`MOST_ROWS` where a row is the same wherever in a batch and beside whatever it stands; 1 where
        only a sequence by itself has the same logits again; 0 where not even that.
    """
    source = torch.Generator().manual_seed(0)
    weights = {
        f"model.{name}": torch.randn(value.shape, generator=source, dtype=value.dtype) * 0.05
        for name, value in model.named_parameters()
    }
    stand_in = _StandIn(model, forward)

    def logits(ids: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.func.functional_call(stand_in, weights, (ids,))
        return found

    def is_alike(length: int, rows: int) -> bool:
        ids, others = torch.randint(vocabulary, (2, rows, length), generator=source)
        expected = logits(ids)
        if rows == 1:
            logits(others)
            return torch.equal(logits(ids.clone()), expected)
        others[-1] = ids[0]
        turned = torch.equal(logits(ids.flip(0)), expected.flip(0))
        return turned and torch.equal(logits(others)[-1], expected[0])

    vocabulary = model.get_input_embeddings().num_embeddings
    lengths = sorted({min(length, longest) for length in _TRIED})
    with _one_thread_each():
        if all(is_alike(length, rows_of(length)) for length in lengths):
            return MOST_ROWS
        return int(all(is_alike(length, 1) for length in lengths))


class _StandIn(torch.nn.Module):
    """The model behind the function that evaluates it, so that both can be given other weights."""

    def __init__(self, model: Any, forward: Forward) -> None:
        super().__init__()
        self.model = model
        self._evaluate = forward

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self._evaluate(self.model, ids)
