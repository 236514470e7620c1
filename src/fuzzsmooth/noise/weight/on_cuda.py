"""Exact parameter noise of bfloat16 models on a CUDA device: two kernels a layer instead of a dozen."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fuzzsmooth.noise.weight import cuda_kernels
from fuzzsmooth.noise.weight.exact import ForwardNoise
from fuzzsmooth.noise.weight.factor import Spans
from fuzzsmooth.noise.weight.normals import CounterStreams


class KernelNoise(ForwardNoise):
    """Noise of one forward call; what the kernels do not cover is left to the general way.

    The law is that of the general way up to the rounding of bfloat16, see
    :func:`~fuzzsmooth.noise.weight.cuda_kernels.factor`. Nothing waits for the device, so activations that
    are not finite show in the outputs alone.
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
        self._read: Tensor | None = None
        self._factors: dict[bool, Tensor] = {}

    def _add_linear(self, module: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        tokens, target = (part if part.dim() == 3 else part[:, None] for part in (x, output))
        bias = module.bias is not None
        covered = (
            output.dtype == x.dtype == torch.bfloat16
            and target.is_contiguous()
            and tokens.size(1) <= min(cuda_kernels.LARGEST, tokens.size(2))
        )
        if not covered:
            return super()._add_linear(module, x, output)
        if tokens.size(1) == 1:
            variance = tokens.float().square().sum(dim=2, keepdim=True) + float(bias)
            target.add_(variance.sqrt_() * self._vectors(target.size(2)), alpha=self._sigma)
            return output
        if self._read is not x:
            self._read, self._factors = x, {}
        if bias not in self._factors:
            self._factors[bias] = cuda_kernels.factor(
                tokens.contiguous(), self._first, self._count, bias=bias
            )
        cuda_kernels.add_noise(
            target, self._factors[bias], self._first, self._count, self._own.seeds, self._next(), self._sigma
        )
        return output

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
