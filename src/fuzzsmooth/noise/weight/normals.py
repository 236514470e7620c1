"""Standard normals for many samples at once, each sample from a stream of its own."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.weight.seeding import torch_generator

Stream: TypeAlias = "np.random.SFC64 | torch.Generator"
"""Where the normals of one sample come from: 64-bit words on a CPU, a torch generator elsewhere."""


@dataclass
class CounterStreams:
    """The streams of all samples of a pass on a CUDA device, which one kernel draws from at once.

    Attributes:
        seeds: int64, shape (samples,), on the device.
        calls: How often normals were drawn so far; addresses the next ones.
    """

    seeds: Tensor
    calls: int = 0

    def __len__(self) -> int:
        return len(self.seeds)


Streams: TypeAlias = "Sequence[Stream] | CounterStreams"
"""Those of all samples of a pass."""

# Pairs of normals transformed at a time: large enough to hide the cost of a call, small enough for the cache.
_CHUNK = 65_536

# Normals from which on several threads draw them; below, starting threads costs more than it gains.
_THREADED = 500_000

_local = threading.local()

# With an angle a = pi v, v uniform in [-1, 1], -2 ln |v| = 2 ln pi - ln a^2: one scale for both words of a
# pair. A word of 0 counts as half a unit. The last summand, a millionth of the variance, keeps the number
# under the root positive where |v| = 1: logarithms are rounded by up to 4 units of 2.4e-7.
_ANGLE = np.float32(np.pi * 2.0**-31)
_LEAST = np.float32((np.pi * 2.0**-32) ** 2)
_OFFSET = np.float32(2 * np.log(np.pi) + 2e-6)


def stream(seed: int, device: torch.device) -> Stream:
    """The stream of one sample on a device.

    On a CPU that is SFC64, whose words NumPy draws faster than any of its others; it passes PractRand, and
    NumPy spreads a seed over its whole state. Elsewhere it is torch's own generator of the device.

    Raises:
        FuzzsmoothError: If the seed is outside 0 .. 2**63 - 1.
    """
    if device.type != "cpu":
        return torch_generator(seed, device)
    require(0 <= seed < 2**63, f"noise seed {seed} is outside 0 .. 2**63 - 1")
    return np.random.SFC64(seed)


def has_kernels() -> bool:
    """Whether Triton is here, which the kernels for CUDA devices are written in."""
    return importlib.util.find_spec("triton") is not None


def pass_streams(seeds: Sequence[int], device: torch.device) -> Streams:
    """The streams of all samples of a pass.

    On a CUDA device without Triton (PyTorch brings it for Linux) each sample has a generator of its own: the
    same law, other numbers, and many times slower.

    Args:
        seeds: One per sample, 0 .. 2**63 - 1.
        device: Where the model is.

    Raises:
        FuzzsmoothError: If a seed is out of range.
    """
    if device.type != "cuda" or not has_kernels():
        return [stream(seed, device) for seed in seeds]
    require(all(0 <= seed < 2**63 for seed in seeds), "noise seeds must lie in 0 .. 2**63 - 1")
    return CounterStreams(torch.tensor(seeds, dtype=torch.int64, device=device))


def fill_normals(z: Tensor, rows: Sequence[tuple[int, int]], streams: Streams) -> None:
    """Write standard normals into the given rows of each sample, and zeros into the others.

    Args:
        z: Shape (samples, length, width), contiguous, float32 or float64, on the streams' device;
            overwritten.
        rows: For each sample its first random row and how many there are.
        streams: One per sample. What a sample gets depends on its own stream and number of rows alone.
    """
    if isinstance(streams, CounterStreams):
        _fill_by_kernel(z, rows, streams)
        return
    if z.device.type != "cpu":
        for sample, (first, count), source in zip(z, rows, streams, strict=True):
            assert isinstance(source, torch.Generator)
            sample[first : first + count].normal_(generator=source)
            sample[:first].zero_()
            sample[first + count :].zero_()
        return
    assert z.is_contiguous()
    pairs = z.size(1) * z.size(2) // 2  # of a sample, at most
    group = max(1, _CHUNK // max(1, pairs))
    starts = range(0, len(z), group)
    array = z.numpy()

    def fill(start: int) -> None:
        part = slice(start, start + group)
        _fill(array[part], rows[part], streams[part])

    workers = min(torch.get_num_threads(), len(starts)) if z.numel() >= _THREADED else 1
    if workers <= 1:
        for start in starts:
            fill(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            # Every sample has its own stream, so the split over threads does not change a draw.
            list(pool.map(fill, starts))


def _fill_by_kernel(z: Tensor, rows: Sequence[tuple[int, int]], streams: CounterStreams) -> None:
    from fuzzsmooth.noise.weight import cuda_kernels

    # Batches are sorted by length: mostly all samples agree, and there is nothing to copy.
    pairs = rows[:1] if len(set(rows)) == 1 else rows
    first, count = torch.tensor(pairs, dtype=torch.int32).to(z.device, non_blocking=True).unbind(1)
    cuda_kernels.fill_normals(z, first.contiguous(), count.contiguous(), streams.seeds, streams.calls)
    streams.calls += 1


def _fill(z: npt.NDArray[np.floating], rows: Sequence[tuple[int, int]], streams: Sequence[Stream]) -> None:
    """Box and Muller's transform (1958) of 32-bit uniforms, vectorized over samples.

    A pair of words gives a radius sqrt(-2 ln u), u in (0, 1], and an angle in [-pi, pi]: two independent
    normals, which stand half the random part of the sample apart. What is not random is set to 0.
    """
    width = z.shape[2]
    pairs = [-(-count * width // 2) for _, count in rows]
    uniform, sine = _buffers(sum(pairs))
    radius, angle = uniform
    halves = [_words(source, number) for source, number in zip(streams, pairs, strict=True)]
    for half, out in enumerate(uniform):
        np.concatenate([words[half] for words in halves], out=out, casting="unsafe")
    uniform *= _ANGLE
    np.sin(angle, out=sine)
    np.cos(angle, out=angle)
    radius *= radius
    radius += _LEAST
    np.log(radius, out=radius)
    np.subtract(_OFFSET, radius, out=radius)
    np.sqrt(radius, out=radius)
    # Samples without padding in one call: for short sequences the calls cost more than what they do.
    whole = set(rows) == {(0, z.shape[1])}
    parts = [z] if whole else [z[index : index + 1] for index in range(len(z))]
    own = 0
    for part, (first, count), number in zip(parts, rows, pairs, strict=False):
        flat, begin, size = part.reshape(len(part), -1), first * width, count * width
        shape, rest = (len(part), number), size - number
        radii, cosines, sines = (
            one[own : own + len(part) * number].reshape(shape) for one in (radius, angle, sine)
        )
        np.multiply(radii, cosines, out=flat[:, begin : begin + number])
        np.multiply(radii[:, :rest], sines[:, :rest], out=flat[:, begin + number : begin + size])
        flat[:, :begin] = 0
        flat[:, begin + size :] = 0
        own += number


def _words(source: Stream, pairs: int) -> npt.NDArray[np.int32]:
    """The next 32-bit words of a stream, signed, shape (2, pairs)."""
    assert isinstance(source, np.random.SFC64)
    return source.random_raw(pairs).astype("<u8", copy=False).view("<i4").reshape(2, pairs)


def _buffers(size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Buffers of this thread, of shapes (2, size) and (size,); fresh memory would cost more than the work."""
    if getattr(_local, "buffer", None) is None or _local.buffer.size < 3 * size:
        _local.buffer = np.empty(3 * max(size, _CHUNK), dtype=np.float32)
    return _local.buffer[: 2 * size].reshape(2, size), _local.buffer[2 * size : 3 * size]
