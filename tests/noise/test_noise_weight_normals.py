"""Streams of normals: their law, and what they depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.weight import normals
from fuzzsmooth.noise.weight.normals import fill_normals, stream

CPU = torch.device("cpu")


def drawn(rows: list[tuple[int, int]], length: int, width: int, seeds: range, dtype=torch.float32) -> Tensor:
    z = torch.full((len(rows), length, width), float("nan"), dtype=dtype)
    fill_normals(z, rows, [stream(seed, CPU) for seed in seeds])
    return z


@pytest.mark.parametrize("width", [1, 2, 3, 384])
def test_the_law_is_standard_normal(width: int) -> None:
    values = drawn([(0, 60)] * 40, 60, width, range(40)).double().flatten().numpy()
    assert stats.kstest(values, "norm").pvalue > 1e-3
    if len(values) > 100_000:
        assert stats.kstest(1.01 * values, "norm").pvalue < 1e-3, "control: one per cent too wide is seen"
        assert abs(np.mean(values**4) - 3) < 5 * (96 / len(values)) ** 0.5
        tails = np.abs(values) > 4
        assert stats.binomtest(int(tails.sum()), len(values), 2 * stats.norm.sf(4)).pvalue > 1e-4


def test_every_word_gives_a_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The word 0 has the largest radius, the extreme ones the smallest: none is infinite or not a number."""
    ends = np.arange(4096, dtype=np.int64)
    words = np.concatenate([-(2**31) + ends, 2**31 - 1 - ends, ends, -ends]).astype(np.int32)
    pair = np.stack([words, np.zeros_like(words)])
    monkeypatch.setattr(normals, "_words", lambda source, pairs: pair)
    z = drawn([(0, 1)], 1, 2 * len(words), range(1)).double().numpy()[0, 0]
    radius = np.hypot(z[: len(words)], z[len(words) :])
    wanted = -np.log((words.astype(np.float64) ** 2 + 0.25) / 2.0**62)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(radius**2, wanted, rtol=1e-6, atol=4e-6)
    assert radius.max() > 6.6


def test_rows_columns_samples_and_halves_are_uncorrelated() -> None:
    z = drawn([(0, 50)] * 400, 50, 8, range(400)).double()
    flat = z.reshape(-1, 8)
    correlation = np.corrcoef(flat.numpy(), rowvar=False) - np.eye(8)
    assert np.abs(correlation).max() < 5 / len(flat) ** 0.5, "also the two normals of a pair"
    squares = np.corrcoef(flat.square().numpy(), rowvar=False) - np.eye(8)
    assert np.abs(squares).max() < 5 / len(flat) ** 0.5, "a shared radius would show here"
    for other in (z.roll(1, 0), z.roll(1, 1)):
        assert abs(float((z * other).mean())) < 5 / z.numel() ** 0.5


def test_a_sample_depends_on_its_stream_and_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [drawn([(0, count)], count, 6, range(seed, seed + 1)) for seed, count in enumerate((5, 3, 7))]
    padded = drawn([(0, 5), (4, 3), (0, 7)], 7, 6, range(3))
    for own, z, (first, count) in zip(alone, padded, ((0, 5), (4, 3), (0, 7)), strict=True):
        torch.testing.assert_close(z[first : first + count], own[0], rtol=0, atol=0)
        assert (z[:first] == 0).all()
        assert (z[first + count :] == 0).all()
    monkeypatch.setattr(normals, "_CHUNK", 4)
    torch.testing.assert_close(drawn([(0, 5), (4, 3), (0, 7)], 7, 6, range(3)), padded, rtol=0, atol=0)
    monkeypatch.setattr(normals, "_THREADED", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    torch.testing.assert_close(drawn([(0, 5), (4, 3), (0, 7)], 7, 6, range(3)), padded, rtol=0, atol=0)


def test_successive_draws_go_on_in_the_stream() -> None:
    source = stream(1, CPU)
    first, second = torch.empty(1, 4, 6), torch.empty(1, 4, 6)
    fill_normals(first, [(0, 4)], [source])
    fill_normals(second, [(0, 4)], [source])
    assert not torch.isin(first, second).any()


def test_doubles_hold_the_same_numbers() -> None:
    single, double = (drawn([(0, 5)], 5, 6, range(1), dtype) for dtype in (torch.float32, torch.float64))
    torch.testing.assert_close(single.double(), double, rtol=1e-6, atol=0)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_bad_seeds(seed: int) -> None:
    with pytest.raises(FuzzsmoothError, match="outside 0"):
        stream(seed, CPU)


def test_nearby_seeds_give_other_numbers() -> None:
    seeds = [0, 1, 2**32, 2**32 + 1, 2**62]
    values = torch.cat([drawn([(0, 4)], 4, 6, range(seed, seed + 1)) for seed in seeds]).flatten()
    assert len(values.unique()) == len(values)
