"""Exact parameter noise of bfloat16 models on a CUDA device: two kernels a layer instead of a dozen."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fuzzsmooth.noise.weight import cuda_kernels
from fuzzsmooth.noise.weight.factor import NoiseFactor, Spans
from fuzzsmooth.noise.weight.forward import ForwardNoise
from fuzzsmooth.noise.weight.normals import CounterStreams


class KernelNoise(ForwardNoise):
    """Noise of one forward call; what the kernels do not cover is left to the general way.

    The law is that of the general way but for rounding, see
    :func:`~fuzzsmooth.noise.weight.cuda_kernels.factor`; a sample padded beyond
    :data:`~fuzzsmooth.noise.weight.cuda_kernels.LARGEST` tokens gets the general way. Nothing waits for the
    device, so activations that are not finite show in the outputs alone.
    """

    def __init__(self, sigma: float, streams: CounterStreams, spans: Spans) -> None:
        super().__init__(sigma, streams, spans)
        self._own = streams
        device = streams.seeds.device
        # Batches are sorted by length: where all samples agree, one number serves all.
        places = torch.tensor(
            [spans.first[:1], spans.count[:1]] if spans.uniform else [spans.first, spans.count],
            dtype=torch.int32,
        )
        self._first, self._count = places.to(device).unbind(0)
        self._zero, self._one = torch.tensor([[0], [1]], dtype=torch.int32).to(device).unbind(0)

    def _add_linear(self, module: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        target = output if output.dim() == 3 else output[:, None]
        covered = output.dtype == x.dtype == torch.bfloat16 and target.is_contiguous()
        if not covered or not _small(target, x.size(-1)):
            return super()._add_linear(module, x, output)
        bias = module.bias is not None
        if target.size(1) == 1:
            tokens = x if x.dim() == 3 else x[:, None]
            variance = tokens.float().square().sum(dim=2, keepdim=True) + float(bias)
            target.add_(variance.sqrt_() * self._vectors(target.size(2)), alpha=self._sigma)
            return output
        matrix = self._factor(x, bias=bias).matrix
        cuda_kernels.add_noise(
            target, matrix, self._first, self._count, self._own.seeds, self._next(), self._sigma
        )
        return output

    def _make_factor(self, tokens: Tensor, spans: Spans, bias: bool) -> NoiseFactor:
        whole = tokens.size(1) == self._spans.length
        if tokens.dtype != torch.bfloat16 or not whole or not _small(tokens, tokens.size(2)):
            return super()._make_factor(tokens, spans, bias)
        matrix = cuda_kernels.factor(tokens.contiguous(), self._first, self._count, bias=bias)
        return NoiseFactor(matrix, tuple(zip(spans.first, spans.count, strict=True)))

    def _add_norm(self, module: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        covered = (
            isinstance(module, nn.LayerNorm)
            and module.bias is not None
            and output.dtype == x.dtype == torch.bfloat16
            and output.is_contiguous()
        )
        if not covered:
            return super()._add_norm(module, x, output)
        assert isinstance(module, nn.LayerNorm)
        width = x.size(-1)
        shape = (len(self._own), math.prod(x.shape[1:-1]), width)
        z = self._vectors(2 * width)
        cuda_kernels.add_norm_noise(
            output.view(shape), x.contiguous().view(shape), z, module.eps, self._sigma
        )
        return output

    def _vectors(self, width: int) -> Tensor:
        """Standard normals, one vector per sample, shape (samples, 1, width), float32."""
        z = self._scratch.take("vectors", (len(self._own), 1, width), torch.float32, self._own.seeds.device)
        cuda_kernels.fill_normals(z, self._zero, self._one, self._own.seeds, self._next())
        return z

    def _next(self) -> int:
        self._own.calls += 1
        return self._own.calls - 1


def _small(tokens: Tensor, width: int) -> bool:
    """Whether a covariance of this many tokens, of activations this wide, has a kernel."""
    return tokens.size(1) <= min(cuda_kernels.LARGEST, width)
