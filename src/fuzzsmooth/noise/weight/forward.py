"""The noise of one forward pass, layer by layer: what noise in the weights of a layer does to its output."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.weight.factor import NoiseFactor, Scratch, Spans, noise_factor
from fuzzsmooth.noise.weight.layers import WAY_OUT, ExactNoiseError, is_linear
from fuzzsmooth.noise.weight.normals import CounterStreams, Streams

# Normals drawn at a time: a megabyte per thread, about what the second-level cache of a core holds.
_CACHED = 262_144 * torch.get_num_threads()


class ForwardNoise:
    """The state of one noisy forward call: streams, buffers, and the factor of the last layer input."""

    def __init__(self, sigma: float, streams: Streams, spans: Spans) -> None:
        self.done: set[str] = set()
        self._sigma = sigma
        self._streams = streams
        self._scratch = Scratch()
        self._spans = spans
        # Layers that read the same tensor (query, key, value) share a factor. Holding the tensor keeps its
        # identity from being reused; only the last one is held.
        self._shared_input: Tensor | None = None
        self._shared: dict[bool, NoiseFactor] = {}

    def attach(self, name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        """Have a layer's noise added to its output, until the handle is removed."""

        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:
            x = cast(Tensor, args[0] if args else next(iter(kwargs.values())))
            self._check(name, module, x, output)
            # Under autocast the factor and its product must stay in full precision.
            autocast = torch.is_autocast_enabled(x.device.type)
            with torch.no_grad(), torch.autocast(x.device.type, enabled=False) if autocast else nullcontext():
                add = self._add_linear if is_linear(module) else self._add_norm
                if not self._is_flat(x):
                    return add(module, x, output)
                shape = (len(self._spans.first), self._spans.length, -1)
                return add(module, x.view(shape), output.view(shape)).view(output.shape)

        return module.register_forward_hook(hook, with_kwargs=True)

    def _check(self, name: str, module: nn.Module, x: Tensor, output: Tensor) -> None:
        if name in self.done:
            raise ExactNoiseError(
                f"noised layer '{name}' ran twice in one exact_weight_noise; enter it anew for each forward "
                f"call, or, of a model that calls its layers twice, {WAY_OUT}"
            )
        self.done.add(name)
        require(
            not output.requires_grad, "exact_weight_noise has no gradients; call it under torch.no_grad()"
        )
        samples, length = len(self._spans.first), self._spans.length
        vector = x.dim() == 2 and x.size(0) == samples
        tokens = x.dim() == 3 and x.size(0) == samples and x.size(1) in (1, length)
        if not is_linear(module):
            # Its noise is one vector per sample, whatever stands between: tokens, or heads and tokens.
            tokens = x.dim() >= 3 and x.size(0) == samples and (x.size(1) == 1 or length in x.shape[1:-1])
        if not (vector or tokens or self._is_flat(x)):
            raise ExactNoiseError(
                f"noised layer '{name}' reads a tensor of shape {tuple(x.shape)}, which is neither "
                f"({samples}, {length}, width) nor one vector per sample; {WAY_OUT}"
            )

    def _is_flat(self, x: Tensor) -> bool:
        """Whether a layer reads the tokens of all samples as one list, sample after sample, as OPT's do."""
        return (
            x.dim() == 2
            and self._spans.length > 1
            and x.size(0) == len(self._spans.first) * self._spans.length
        )

    def _add_linear(self, module: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        """Output + sigma C Z, the noise of weight and bias of a linear layer.

        The output of a linear layer is fresh memory nobody else holds yet, so adding in place is safe. Some
        samples at a time, so that on a CPU their normals are still in its cache when they are multiplied.
        """
        factor = self._factor(x, bias=module.bias is not None)
        target = output if output.dim() == 3 else output[:, None]
        samples, _, width = target.shape
        normals = factor.matrix.size(2) * width
        group = max(1, _CACHED // normals) if x.device.type == "cpu" else samples
        for start in range(0, samples, group):
            part = slice(start, start + group)
            own = self._streams if isinstance(self._streams, CounterStreams) else self._streams[part]
            z = factor[part].normals(width, own, self._scratch)
            self._add_product(target[part], factor.matrix[part], z)
        return output

    def _add_product(self, target: Tensor, matrix: Tensor, z: Tensor) -> None:
        """Target + sigma C Z, in place; rounded once, where the target is narrower than the noise."""
        if target.dtype == z.dtype:
            target.baddbmm_(matrix, z, alpha=self._sigma)
            return
        wide = self._scratch.take("wide output", target.shape, z.dtype, z.device)
        if target.device.type == "cpu":  # the sum within the product saves a pass over the noise
            target.copy_(wide.copy_(target).baddbmm_(matrix, z, alpha=self._sigma))
        else:
            target.add_(torch.bmm(matrix, z, out=wide), alpha=self._sigma)

    def _add_norm(self, module: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        """Output + sigma (normalized * gain noise + offset noise), one noise vector per sample.

        Padding gets it too, harmlessly: no token reads padding.
        """
        normalized = _normalized(module, x)
        width = normalized.size(-1)
        offset = isinstance(module, nn.LayerNorm) and module.bias is not None
        samples = len(self._streams)
        one = NoiseFactor(normalized.new_ones(samples, 1, 1), ((0, 1),) * samples)
        z = one.normals(width * (1 + offset), self._streams, self._scratch).mul_(self._sigma)
        z = z.view(samples, *[1] * (x.dim() - 2), z.size(-1))
        noisy = output.to(normalized.dtype).addcmul_(normalized, z[..., :width])
        if offset:
            noisy += z[..., width:]
        return noisy.to(output.dtype)

    def _factor(self, x: Tensor, *, bias: bool) -> NoiseFactor:
        if self._shared_input is not x:
            self._shared_input, self._shared = x, {}
        if bias not in self._shared:
            tokens = x if x.dim() == 3 else x[:, None]
            # A layer may read one token of each sample only, as the last one of a classifier does.
            whole = tokens.size(1) == self._spans.length
            spans = self._spans if whole else Spans.single(x.size(0))
            self._shared[bias] = self._make_factor(tokens, spans, bias)
        return self._shared[bias]

    def _make_factor(self, tokens: Tensor, spans: Spans, bias: bool) -> NoiseFactor:
        return noise_factor(tokens, spans, bias=bias, scratch=self._scratch)


def _normalized(module: nn.Module, x: Tensor) -> Tensor:
    """What the gain of a norm layer multiplies, float32 or wider."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    if isinstance(module, nn.LayerNorm):
        return functional.layer_norm(wide, module.normalized_shape, eps=module.eps)
    # RMSNorms differ in formula (weight, 1 + weight, epsilon), but each is affine in its weight.
    weight = cast(Tensor, module.weight).to(wide.dtype)
    return _evaluate(module, torch.ones_like(weight), wide) - _evaluate(
        module, torch.zeros_like(weight), wide
    )


def _evaluate(module: nn.Module, weight: Tensor, x: Tensor) -> Tensor:
    """The bare forward function (no hooks) of a norm with another weight; the module is not touched."""
    twin = object.__new__(type(module))
    twin.__dict__ = {**module.__dict__, "_parameters": {"weight": weight}}
    return cast(Tensor, twin.forward(x))
