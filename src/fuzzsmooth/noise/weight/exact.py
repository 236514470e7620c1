"""Exact parameter noise in activation space: a fresh noisy model for every sample of one batched pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.weight.factor import Spans
from fuzzsmooth.noise.weight.forward import ForwardNoise
from fuzzsmooth.noise.weight.layers import WAY_OUT, ExactNoiseError, noised_modules
from fuzzsmooth.noise.weight.normals import CounterStreams, Streams, pass_streams
from fuzzsmooth.noise.weight.seeding import check_sigma


@contextmanager
def exact_weight_noise(
    model: nn.Module, top_layers: int, sigma: float, seeds: Sequence[int], attention_mask: Tensor
) -> Iterator[None]:
    """Give each sample of one forward call its own independent draw of parameter noise.

    The law of the outputs is that of weights drawn anew for every sample
    (:func:`~fuzzsmooth.noise.weight.drawn_weights`; arXiv 2502.06892, Eq. 5), though not the numbers of one
    seed. But the weights stay shared: given what a layer reads, the noise it adds is Gaussian with a known
    covariance (see :func:`~fuzzsmooth.noise.weight.factor.noise_factor`), and the noises of different layers
    are independent, so layer by layer the law is the same. Call the model exactly once inside, without
    gradients and with the same attention mask. The model is left untouched.

    Args:
        model: A Hugging Face sequence classifier.
        top_layers: H, the noised blocks counted from the output; the head above them is noised too.
        sigma: Standard deviation of the noise, >= 0, in units of the parameters; 0 adds none.
        seeds: One per sample, 0 .. 2**63 - 1. The noise of a sample is a function of its tokens and its seed
            (and the device type), not of padding or of the rest of the batch.
        attention_mask: Shape (samples, tokens), nonzero at tokens; padding on one side.

    Raises:
        ExactNoiseError: As :func:`~fuzzsmooth.noise.weight.noised_modules`; or if the forward call does not
            suit: a noised layer skipped or run twice, or given something else than the batch of sequences
            (or one token, or one vector, per sample).
        FuzzsmoothError: As :func:`~fuzzsmooth.noise.weight.noised_modules`; on a bad argument; or if
            gradients are wanted.
    """
    check_sigma(sigma)
    modules = noised_modules(model, top_layers)
    spans = Spans.of_mask(attention_mask)
    require(
        len(seeds) == len(spans.first),
        f"{len(seeds)} seeds for {len(spans.first)} samples; give one seed per sample",
    )
    if sigma == 0 or not modules:
        yield
        return
    device = next(modules[0][1].parameters()).device
    noise = _forward_noise(sigma, pass_streams(seeds, device), spans)
    handles = [noise.attach(name, module) for name, module in modules]
    try:
        yield
        skipped = [name for name, _ in modules if name not in noise.done]
        if skipped:
            raise ExactNoiseError(
                f"noised layer '{skipped[0]}' was not called by the model, so its noise is missing; call the "
                f"model once inside exact_weight_noise, or {WAY_OUT}"
            )
    finally:
        for handle in handles:
            handle.remove()


def _forward_noise(sigma: float, streams: Streams, spans: Spans) -> ForwardNoise:
    if isinstance(streams, CounterStreams):
        from fuzzsmooth.noise.weight.on_cuda import KernelNoise  # needs Triton

        return KernelNoise(sigma, streams, spans)
    return ForwardNoise(sigma, streams, spans)
