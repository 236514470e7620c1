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

_UNIT = np.float32(2.0**-32)
_ANGLE = np.float32(np.pi * 2.0**-31)


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
        z: Shape (samples, length, width), float32 or float64, on the streams' device; overwritten.
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
    pairs = z.size(1) * -(-z.size(2) // 2)  # of a sample
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
    normals, which stand half a row apart. Row by row, so that a sample's numbers do not depend on padding.
    """
    samples, length, width = z.shape
    half = -(-width // 2)
    radius, angle, sine = _buffers(samples, length, half)
    for index, ((first, count), source) in enumerate(zip(rows, streams, strict=True)):
        assert isinstance(source, np.random.SFC64)
        words = source.random_raw(count * half).astype("<u8", copy=False).view("<u4")
        stop, shape = first + count, (count, half)
        radius[index, :first] = radius[index, stop:] = 1.0  # whatever the last call left there
        radii, angles = words[: count * half].reshape(shape), words[count * half :].view("<i4").reshape(shape)
        np.multiply(radii, _UNIT, out=radius[index, first:stop], dtype=np.float32, casting="unsafe")
        np.multiply(angles, _ANGLE, out=angle[index, first:stop], dtype=np.float32, casting="unsafe")
    radius += np.float32(2.0**-33)
    np.log(radius, out=radius)
    radius *= np.float32(-2.0)
    np.sqrt(radius, out=radius)
    np.sin(angle, out=sine)
    np.cos(angle, out=angle)
    np.multiply(radius, angle, out=z[:, :, :half])
    np.multiply(radius[:, :, : width - half], sine[:, :, : width - half], out=z[:, :, half:])
    for index, (first, count) in enumerate(rows):
        z[index, :first] = 0
        z[index, first + count :] = 0


def _buffers(samples: int, length: int, half: int) -> list[npt.NDArray[np.float32]]:
    """Three buffers of this thread; fresh memory would cost more than the work done on it."""
    size = samples * length * half
    if getattr(_local, "buffers", None) is None or _local.buffers.shape[1] < size:
        _local.buffers = np.zeros((3, max(size, _CHUNK)), dtype=np.float32)
    buffers = _local.buffers[:, :size]
    return [one.reshape(samples, length, half) for one in buffers]
