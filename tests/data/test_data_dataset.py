"""Data sets as values, and stratified samples of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.data.stratify import stratified_indices

DATASET = Dataset(
    "d", ("no", "yes"), tuple(Example(f"t{index}", index % 2) for index in range(50)), ("row 3",)
)


def test_columns_and_fingerprint() -> None:
    assert len(DATASET) == len(list(DATASET)) == 50
    assert DATASET.texts[:2] == ["t0", "t1"]
    assert DATASET.targets[:2] == [0, 1]
    same = DATASET.with_examples(list(DATASET))
    assert same.fingerprint == DATASET.fingerprint
    for other in ([*DATASET][::-1], [*DATASET][:-1], [Example("t0", 1), *[*DATASET][1:]]):
        assert DATASET.with_examples(other).fingerprint != DATASET.fingerprint


def test_a_sample_keeps_order_names_and_skipped() -> None:
    sample = DATASET.sample(20, np.random.default_rng(0))
    assert len(set(sample.texts)) == 20
    assert sample.texts == sorted(sample.texts, key=lambda text: int(text[1:]))
    assert (sample.labels, sample.skipped) == (DATASET.labels, DATASET.skipped)
    assert DATASET.sample(50, np.random.default_rng(0)) is DATASET
    assert DATASET.sample(20, np.random.default_rng(1)).texts != sample.texts


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.data())
def test_stratified_counts_are_the_exact_shares_rounded(targets: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(targets)))
    chosen = stratified_indices(targets, size, np.random.default_rng(data.draw(st.integers(0, 5))))
    assert len(set(chosen)) == len(chosen) == size
    assert chosen == sorted(chosen)
    drawn = Counter(targets[index] for index in chosen)
    for label, count in Counter(targets).items():
        assert abs(drawn[label] - size * count / len(targets)) < 1


def test_stratified_draws_every_row_equally_often() -> None:
    targets = [0] * 6 + [1] * 2
    drawn = Counter(
        index for seed in range(2000) for index in stratified_indices(targets, 4, np.random.default_rng(seed))
    )
    assert all(abs(drawn[index] / 2000 - 0.5) < 0.06 for index in range(8))
