from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.models.batches import _CALL, length_batches


def cost(batches: list[list[int]], lengths: list[int]) -> int:
    return sum(_CALL + len(batch) * max(lengths[at] for at in batch) for batch in batches)


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(1, 20))
def test_every_sequence_is_in_one_batch(lengths: list[int], batch_size: int) -> None:
    batches = length_batches(lengths, batch_size)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(batches)
    for batch in batches:
        padded = len(batch) * max(lengths[at] for at in batch)
        assert len(batch) <= batch_size or padded <= 64 * batch_size
    longest = [max(lengths[at] for at in batch) for batch in batches]
    assert longest == sorted(longest, reverse=True)


@given(st.lists(st.sampled_from([3, 5, 9, 40, 90, 400]), min_size=1, max_size=25))
def test_no_cut_between_lengths_is_cheaper(lengths: list[int]) -> None:
    """Brute force over all ways to cut the distinct lengths into runs."""
    distinct = sorted(set(lengths), reverse=True)
    best = []
    for count in range(len(distinct)):
        for cuts in combinations(range(1, len(distinct)), count):
            edges = [0, *cuts, len(distinct)]
            runs = [set(distinct[a:b]) for a, b in pairwise(edges)]
            best.append(cost([[i for i, n in enumerate(lengths) if n in run] for run in runs], lengths))
    assert cost(length_batches(lengths, 100), lengths) == min(best)


def test_padding_is_small_where_there_are_many() -> None:
    lengths = np.random.default_rng(0).integers(3, 30, 4000).tolist()
    batches = length_batches(lengths, 32)
    assert len(batches) < 4000 / 32
    padded = cost(batches, lengths) - _CALL * len(batches)
    assert padded < 1.001 * sum(lengths)
    order = [list(range(start, start + 32)) for start in range(0, 4000, 32)]
    assert cost(order, lengths) > 1.5 * sum(lengths), "control: in the order given"


@pytest.mark.parametrize("batch_size", [1, 3])
def test_no_sequences(batch_size: int) -> None:
    assert length_batches([], batch_size) == []


def test_an_accelerator_gets_fewer_and_larger_batches() -> None:
    lengths = [5] * 90 + [9] * 90 + [30] * 90
    few, many = length_batches(lengths, 512, accelerator=True), length_batches(lengths, 512)
    assert sorted(index for batch in few for index in batch) == list(range(len(lengths)))
    assert len(few) == 1  # launching a call costs more than all the padding
    assert len(many) == 3
    assert len(length_batches(lengths * 40, 512, accelerator=True)) > 1  # memory stays bounded
