"""C C^T = X X^T + 1 1^T, analytically, for every kind of token matrix a layer may read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.weight.factor import NoiseFactor, Spans, _jittered, noise_factor
from fuzzsmooth.noise.weight.normals import stream

torch.set_num_threads(1)
CPU = torch.device("cpu")


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _spans(length: int, *counts: int) -> Spans:
    return Spans(length, (0,) * len(counts), counts)


def _random_part(factor: NoiseFactor) -> Tensor:
    """C without the columns that meet zero rows of Z."""
    matrix = torch.zeros_like(factor.matrix)
    for sample, (first, count) in enumerate(factor.rows):
        matrix[sample, :, first : first + count] = factor.matrix[sample, :, first : first + count]
    return matrix.double()


def _covariance_error(factor: NoiseFactor, x: Tensor, spans: Spans, *, bias: bool) -> float:
    """Largest error of a covariance entry, relative to the two tokens' standard deviations."""
    keep = spans.mask(x.device)
    wide = torch.where(keep[:, :, None], x.double(), 0.0)
    wanted = wide @ wide.mT + bias * (keep[:, :, None] & keep[:, None, :])
    matrix = _random_part(factor)
    scale = wanted.diagonal(dim1=1, dim2=2).sqrt().clamp_min(1e-30)
    return float(((matrix @ matrix.mT - wanted).abs() / (scale[:, :, None] * scale[:, None, :])).max())


MATRICES = {
    "generic": _normal(6, 12, 32),
    "longer than wide": _normal(6, 12, 7),
    "as long as wide": _normal(6, 12, 12),
    "one longer than wide": _normal(6, 12, 11),
    "identical tokens": _normal(6, 1, 32).expand(6, 12, 32),
    "two kinds of tokens": _normal(6, 2, 32)[:, [0, 1] * 6],
    "nearly identical": _normal(6, 1, 32) + 1e-6 * _normal(6, 12, 32, seed=1),
    "low rank": _normal(6, 12, 3) @ _normal(6, 3, 32, seed=1),
    "one huge token": torch.cat([1e4 * _normal(6, 1, 32), _normal(6, 11, 32, seed=1)], dim=1),
    "a zero token": torch.cat([torch.zeros(6, 1, 32), _normal(6, 11, 32)], dim=1),
    "all zero": torch.zeros(6, 12, 32),
    "tiny": 1e-8 * _normal(6, 12, 32),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("counts", [(12,) * 6, (12, 1, 5, 12, 8, 11)], ids=["full", "padded"])
@pytest.mark.parametrize("kind", MATRICES)
def test_factor_reproduces_the_covariance(kind: str, counts: tuple[int, ...], bias: bool) -> None:
    x, spans = MATRICES[kind], _spans(12, *counts)
    factor = noise_factor(x, spans, bias=bias)
    assert factor.matrix.dtype == torch.float32
    assert _covariance_error(factor, x, spans, bias=bias) < 1e-5


@pytest.mark.parametrize("kind", ["generic", "longer than wide"])
def test_the_check_sees_a_missing_bias_and_independent_tokens(kind: str) -> None:
    """Negative controls of the test above."""
    x, spans = MATRICES[kind], _spans(12, *(12,) * 6)
    assert _covariance_error(noise_factor(x, spans, bias=False), x, spans, bias=True) > 1e-2
    alone = (x.square().sum(dim=2) + 1).sqrt().diag_embed()
    independent = NoiseFactor(alone, ((0, 12),) * 6)
    assert _covariance_error(independent, x, spans, bias=True) > 1e-2


def test_jitter_rises_for_the_failing_samples_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the first jitter, Cholesky fails on equal tokens; the next value must rescue them alone."""
    monkeypatch.setattr("fuzzsmooth.noise.weight.factor._JITTERS", (0.0, 1e-6))
    x, spans = torch.cat([MATRICES["generic"], torch.ones(2, 12, 32)]), _spans(12, *(12,) * 8)
    factor = noise_factor(x.double(), spans, bias=True)
    assert _covariance_error(factor, x, spans, bias=True) < 1e-5
    generic = NoiseFactor(factor.matrix[:6], factor.rows[:6])
    assert _covariance_error(generic, x[:6], _spans(12, *(12,) * 6), bias=True) < 1e-13
    monkeypatch.setattr("fuzzsmooth.noise.weight.factor._JITTERS", (0.0,))
    with pytest.raises(FuzzsmoothError, match="not finite"):
        noise_factor(x, spans, bias=True)


@pytest.mark.parametrize("counts", [(12,) * 8, (12, 1, 5, 12, 8, 11, 12, 12)], ids=["full", "padded"])
def test_float64_is_for_samples_with_dependent_tokens(
    counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only they, and those whose squares lose digits in float32, are computed twice."""
    wide: list[Tensor] = []

    def spy(x: Tensor, *rest: object) -> Tensor:
        wide.append(x)
        return _jittered(x, *rest)

    monkeypatch.setattr("fuzzsmooth.noise.weight.factor._jittered", spy)
    spans = _spans(12, *counts)
    for kind, few in (("nearly identical", 1), ("a zero token", 1), ("generic", 0)):
        x = torch.cat([MATRICES["generic"], MATRICES[kind][:1], MATRICES["generic"][:1]])
        factor = noise_factor(x, spans, bias=False)
        assert _covariance_error(factor, x, spans, bias=False) < 1e-5
        assert sum(map(len, wide)) == few
        assert all(torch.equal(one[0], x[6]) for one in wide)
        wide.clear()
    noise_factor(1e-20 * MATRICES["generic"], _spans(12, *counts[:6]), bias=False)
    assert sum(map(len, wide)) == 6


def test_padding_content_does_not_matter() -> None:
    x, spans = _normal(3, 9, 16), _spans(9, 4, 9, 6)
    spoiled = x.masked_fill(~spans.mask(x.device)[:, :, None], float("nan"))
    factor, other = noise_factor(x, spans, bias=True), noise_factor(spoiled, spans, bias=True)
    assert torch.equal(factor.matrix, other.matrix)
    draw = factor.normals(5, [stream(seed, CPU) for seed in range(3)])
    noise = factor.matrix @ draw
    assert noise[0, 4:].count_nonzero() == 0
    assert noise[2, 6:].count_nonzero() == 0
    assert noise[0, :4].count_nonzero() == 20


def test_left_padding_gives_the_same_noise() -> None:
    tokens = _normal(1, 5, 16)
    pad = torch.full((1, 3, 16), 7.0)
    right = noise_factor(torch.cat([tokens, pad], dim=1), Spans(8, (0,), (5,)), bias=True)
    left = noise_factor(torch.cat([pad, tokens], dim=1), Spans(8, (3,), (5,)), bias=True)
    noises = [f.matrix @ f.normals(4, [stream(1, CPU)]) for f in (right, left)]
    assert torch.allclose(noises[0][:, :5], noises[1][:, 3:], atol=1e-6)
    assert noises[1][:, :3].count_nonzero() == 0


def test_threads_do_not_change_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    factor = noise_factor(_normal(7, 12, 32), _spans(12, 12, 3, 4, 5, 6, 7, 8), bias=True)

    def draw() -> Tensor:
        return factor.normals(33, [stream(seed, CPU) for seed in range(7)])

    single = draw()
    monkeypatch.setattr("fuzzsmooth.noise.weight.normals._THREADED", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(draw(), single)
    with torch.inference_mode():
        assert torch.equal(draw(), single)


def test_double_precision_is_kept() -> None:
    x, spans = _normal(2, 6, 16).double(), _spans(6, 6, 3)
    factor = noise_factor(x, spans, bias=True)
    assert factor.matrix.dtype == torch.float64
    assert _covariance_error(factor, x, spans, bias=True) < 2e-10


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_activations_must_be_finite(value: float) -> None:
    x = _normal(2, 6, 16)
    x[1, 2, 3] = value
    with pytest.raises(FuzzsmoothError, match="not finite"):
        noise_factor(x, _spans(6, 6, 6), bias=True)


def test_spans_of_a_mask() -> None:
    spans = Spans.of_mask(torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]]))
    assert (spans.first, spans.count, spans.padded) == ((0, 2, 0), (2, 2, 4), True)
    with pytest.raises(FuzzsmoothError, match="sample 0 has holes"):
        Spans.of_mask(torch.tensor([[1, 0, 1]]))
    with pytest.raises(FuzzsmoothError, match="sample 1 of the batch has no token"):
        Spans.of_mask(torch.tensor([[1, 0], [0, 0]]))
    with pytest.raises(FuzzsmoothError, match="shape"):
        Spans.of_mask(torch.ones(3))
