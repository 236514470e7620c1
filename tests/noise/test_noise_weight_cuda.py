"""Kernels for CUDA devices: normals of many streams and small Cholesky factors, with negative controls."""

from __future__ import annotations

import pytest
import torch
from noise_weight_models import batch, tiny, written_noise
from scipy import stats

from fuzzsmooth.noise.weight import exact_weight_noise
from fuzzsmooth.noise.weight.normals import CounterStreams, fill_normals, has_kernels, pass_streams

pytestmark = pytest.mark.skipif(
    not (torch.cuda.is_available() and has_kernels()), reason="needs a CUDA device and Triton"
)
CUDA = torch.device("cuda")


def _draw(
    seeds: list[int], rows: list[tuple[int, int]], length: int, width: int, calls: int = 0
) -> torch.Tensor:
    z = torch.full((len(seeds), length, width), 7.0, device=CUDA)
    streams = pass_streams(seeds, CUDA)
    assert isinstance(streams, CounterStreams)
    streams.calls = calls
    fill_normals(z, rows, streams)
    return z


def test_normals_have_their_law() -> None:
    z = _draw(list(range(50)), [(0, 40)] * 50, 40, 131).cpu().flatten()
    assert stats.kstest(z.numpy(), "norm").pvalue > 1e-4
    assert stats.kstest(1.02 * z.numpy(), "norm").pvalue < 1e-4  # the test can fail
    quarters = _draw([1], [(0, 2000)], 2000, 4).cpu()[0]
    assert float(torch.corrcoef(quarters.T).fill_diagonal_(0).abs().max()) < 0.1


def test_a_sample_depends_on_its_seed_and_rows_alone() -> None:
    together = _draw([5, 6, 5], [(1, 4), (0, 6), (2, 3)], 6, 37)
    alone = _draw([5], [(0, 4)], 4, 37)
    assert torch.equal(together[0, 1:5], alone[0])
    assert torch.equal(together[2, 2:5], alone[0, :3])
    assert not together[0, 0].any()
    assert not together[0, 5].any()
    assert not torch.equal(together[1, :4], alone[0])


def test_calls_and_seeds_give_fresh_normals() -> None:
    draws = [
        _draw([seed], [(0, 64)], 64, 64, calls).flatten()
        for seed, calls in ((5, 0), (5, 1), (6, 0), (5 + 2**40, 0), (5, 16))
    ]
    correlation = torch.corrcoef(torch.stack(draws)).fill_diagonal_(0)
    assert float(correlation.abs().max()) < 0.08


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 33, 64])
def test_cholesky(size: int) -> None:
    from fuzzsmooth.noise.weight import cuda_kernels

    x = torch.randn(9, size, 70, dtype=torch.float64, device=CUDA)
    gram = x @ x.mT
    factor, failed = cuda_kernels.cholesky(gram)
    torch.testing.assert_close(factor, torch.linalg.cholesky(gram), rtol=1e-10, atol=1e-10)
    assert not failed.any()
    gram[4] = -gram[4]
    assert cuda_kernels.cholesky(gram)[1].bool().tolist() == [at == 4 for at in range(9)]


def test_exact_noise_has_the_law_of_noise_in_the_weights() -> None:
    draws, text, sigma = 3000, [3, 9, 21, 9, 30], 0.3
    model = tiny("bert").to(CUDA)
    inputs = {name: value.to(CUDA) for name, value in batch([text] * draws).items()}
    with torch.inference_mode():
        with exact_weight_noise(model, 2, sigma, range(draws), inputs["attention_mask"]):
            exact = model(**inputs).logits[:, 0].cpu()
        one = {name: value[:1] for name, value in inputs.items()}
        written = []
        for seed in range(draws):
            with written_noise(model, 2, sigma, seed):
                written.append(model(**one).logits[0, 0].cpu())
    assert stats.ks_2samp(exact.numpy(), torch.stack(written).numpy()).pvalue > 1e-3
    assert stats.ks_2samp(1.3 * exact.numpy(), torch.stack(written).numpy()).pvalue < 1e-3


def test_padding_changes_no_sample() -> None:
    model = tiny("bert").to(CUDA)
    texts = [[3, 9, 21, 9, 30], [3, 9, 30]]
    with torch.inference_mode():
        inputs = {name: value.to(CUDA) for name, value in batch(texts).items()}
        with exact_weight_noise(model, 2, 0.1, [7, 8], inputs["attention_mask"]):
            together = model(**inputs).logits[1]
        inputs = {name: value.to(CUDA) for name, value in batch(texts[1:]).items()}
        with exact_weight_noise(model, 2, 0.1, [8], inputs["attention_mask"]):
            alone = model(**inputs).logits[0]
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_factors_in_bfloat16(bias: bool) -> None:
    from fuzzsmooth.noise.weight import cuda_kernels

    x = torch.randn(4, 27, 100, device=CUDA).bfloat16()
    x[0, 5] = x[0, 3]  # a singular matrix
    first, count = (
        torch.tensor(part, dtype=torch.int32, device=CUDA) for part in ([0, 0, 2, 0], [27, 20, 25, 1])
    )
    factor = cuda_kernels.factor(x, first, count, bias=bias).double()
    for row, (begin, number) in enumerate(zip(first.tolist(), count.tolist(), strict=True)):
        own = x[row, begin : begin + number].double()
        gram = own @ own.T + float(bias)
        part = factor[row, begin : begin + number, begin : begin + number]
        assert float((part @ part.T - gram).abs().max() / gram.diagonal().max()) < 2e-4
        assert float(factor[row].diagonal().min()) > 0


def test_noise_in_registers_is_the_noise_in_memory() -> None:
    from fuzzsmooth.noise.weight import cuda_kernels

    first, count = (torch.tensor(part, dtype=torch.int32, device=CUDA) for part in ([0, 2], [27, 20]))
    x = torch.randn(2, 27, 100, device=CUDA).bfloat16()
    matrix = cuda_kernels.factor(x, first, count, bias=True)
    z = torch.empty(2, 27, 50, device=CUDA)
    seeds = torch.tensor([4, 5], device=CUDA)
    cuda_kernels.fill_normals(z, first, count, seeds, 3)
    output = torch.randn(2, 27, 50, device=CUDA).bfloat16()
    expected = output.float() + 0.5 * torch.bmm(matrix, z)
    cuda_kernels.add_noise(output, matrix, first, count, seeds, 3, 0.5)
    torch.testing.assert_close(output.float(), expected, rtol=2e-2, atol=2e-1)
    cuda_kernels.add_noise(output, matrix, first, count, seeds, 4, 0.5)  # another call, other noise
    assert float((output.float() - expected).abs().max()) > 1


def test_norm_noise() -> None:
    from fuzzsmooth.noise.weight import cuda_kernels

    x, output = (torch.randn(3, 5, 100, device=CUDA).bfloat16() for _ in range(2))
    z = torch.randn(3, 200, device=CUDA)
    normalized = torch.nn.functional.layer_norm(x.float(), (100,), eps=1e-12)
    expected = output.float() + 0.3 * (normalized * z[:, None, :100] + z[:, None, 100:])
    cuda_kernels.add_norm_noise(output, x, z, 1e-12, 0.3)
    torch.testing.assert_close(output.float(), expected, rtol=1e-2, atol=2e-2)


def test_bfloat16_has_the_law_of_float32() -> None:
    draws, text, sigma = 3000, [3, 9, 21, 9, 30], 0.2
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        model = tiny("bert", dtype=dtype).to(CUDA)
        inputs = {name: value.to(CUDA) for name, value in batch([text] * draws).items()}
        with (
            torch.inference_mode(),
            exact_weight_noise(model, 2, sigma, range(draws), inputs["attention_mask"]),
        ):
            found.append(model(**inputs).logits[:, 0].float().cpu().numpy())
    assert stats.ks_2samp(*found).pvalue > 1e-3
    assert stats.ks_2samp(found[0], 1.3 * found[1]).pvalue < 1e-3
