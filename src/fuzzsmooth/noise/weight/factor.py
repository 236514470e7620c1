"""Covariance factors of linear-layer noise: C with C C^T = X X^T + 1 1^T over the tokens of each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.noise.weight.normals import Streams, fill_normals, has_kernels

# Relative jitter on the diagonal of the Gram matrix. A float64 Gram matrix of L rows of width d is positive
# semidefinite up to about d * 2**-53 relative to its diagonal, so the first value practically always does;
# it adds independent noise of 1e-5 of a token's own noise. The later ones are for adversarial activations.
_JITTERS = (1e-10, 1e-8, 1e-6)

# On a CPU a float32 Gram matrix, off by about 1e-6 of its diagonal as the activations themselves are, serves
# samples whose tokens are far from dependent: none with less than this share of its variance given those
# before it, and none so small that a square loses digits. The others get float64.
_INDEPENDENT = 0.03
_SMALL = 1e-30

# Bytes of activations widened at a time on a CPU, so that the wide copy stays in its cache.
_CHUNK = 800_000


@dataclass(frozen=True)
class Spans:
    """Where the tokens of each sample are in a padded batch: one contiguous run per sample.

    Attributes:
        length: Padded length L.
        first: Index of the first token of each sample.
        count: Number of tokens of each sample, >= 1.
    """

    length: int
    first: tuple[int, ...]
    count: tuple[int, ...]

    @classmethod
    def of_mask(cls, attention_mask: Tensor) -> Spans:
        """Read the spans off an attention mask of shape (samples, L), nonzero at tokens.

        Raises:
            FuzzsmoothError: If the mask is not 2-D, a sample has no token, or its tokens are not contiguous.
        """
        require(attention_mask.dim() == 2, "attention_mask must have shape (samples, tokens)")
        mask = attention_mask.ne(0).to("cpu", torch.int8)
        first = mask.argmax(dim=1).tolist() if mask.numel() else []
        count = mask.sum(dim=1).tolist()
        last = (mask.size(1) - mask.flip(1).argmax(dim=1)).tolist() if mask.numel() else []
        for row, (begin, number) in enumerate(zip(first, count, strict=True)):
            require(number > 0, f"sample {row} of the batch has no token; keep at least a special token")
            require(
                last[row] - begin == number,
                f"attention_mask of sample {row} has holes; pad on one side only",
            )
        return cls(mask.size(1), tuple(first), tuple(count))

    @classmethod
    def single(cls, samples: int) -> Spans:
        """One vector per sample, as a pooler or classifier reads."""
        return cls(1, (0,) * samples, (1,) * samples)

    @property
    def uniform(self) -> bool:
        """Whether the tokens of all samples stand in the same places."""
        return len(set(self.first)) == len(set(self.count)) == 1

    @property
    def padded(self) -> bool:
        """Whether any sample is shorter than the batch."""
        return min(self.count, default=self.length) < self.length

    def mask(self, device: torch.device) -> Tensor:
        """Boolean mask of shape (samples, length), true at tokens."""
        position = torch.arange(self.length, device=device)
        first = torch.tensor(self.first, device=device)[:, None]
        count = torch.tensor(self.count, device=device)[:, None]
        return (position >= first) & (position < first + count)


@dataclass(frozen=True)
class NoiseFactor:
    """A factor of the token covariance of each sample.

    Attributes:
        matrix: C, shape (samples, length, rank); zero noise at padding when C multiplies ``normals``.
        rows: For each sample, first row and number of rows of Z that are random; the others are zero.
    """

    matrix: Tensor
    rows: tuple[tuple[int, int], ...]

    def __getitem__(self, part: slice) -> NoiseFactor:
        """The factor of some of the samples."""
        return NoiseFactor(self.matrix[part], self.rows[part])

    def normals(self, width: int, streams: Streams, scratch: Scratch | None = None) -> Tensor:
        """Draw Z, shape (samples, rank, width): sample i's rows from stream i only.

        The result lies in ``scratch``, if given, and is overwritten by the next draw.
        """
        like = self.matrix
        shape = (len(self.rows), like.size(2), width)
        scratch = Scratch() if scratch is None else scratch
        z = scratch.take("normals", shape, like.dtype, like.device)
        fill_normals(z, self.rows, streams)
        return z


class Scratch:
    """Buffers that are used again and again: on a CPU, fresh memory costs more than the work done on it."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """A tensor of any content, which the next call with this name overwrites."""
        size = math.prod(shape)
        buffer = self._buffers.get((name, dtype))
        if buffer is None or buffer.numel() < size or buffer.device != device:
            buffer = self._buffers[name, dtype] = torch.empty(size, dtype=dtype, device=device)
        return buffer[:size].view(*shape)


def noise_factor(tokens: Tensor, spans: Spans, *, bias: bool, scratch: Scratch | None = None) -> NoiseFactor:
    """Factor the noise covariance that i.i.d. N(0, 1) weight noise gives the tokens of each sample.

    A layer with weight noise E (out x in) and bias noise e adds N = X E^T + 1 e^T. The columns of N are
    i.i.d. N(0, X X^T + 1 1^T), so N and C Z have the same law for any C with C C^T = X X^T + 1 1^T and Z
    standard normal. Samples with at most in (+ 1) tokens get the Cholesky factor; longer ones get
    C = [X, 1] itself, which is exact, of lower rank, and needs fewer normals.

    Cholesky, because it was fastest: for 200 samples of 28 tokens on one core, from X to C, it takes 4 ms at
    width 384 and 16 ms at 1536; an eigendecomposition of the same Gram matrix 12 and 24 ms, QR of [X, 1]^T
    12 and 78 ms. The Gram matrix is taken in float64, where it stays positive definite for practically every
    activation; in float32 nearly equal tokens would break it, so on a CPU only samples without such tokens
    get by with that, at about half the time.

    Args:
        tokens: X, shape (samples, length, in), any floating type; padding may hold anything.
        spans: Where the tokens are.
        bias: Whether the layer has a bias, which adds 1 1^T.
        scratch: Buffers to work in.

    Returns:
        The factor, in float32 (float64 if ``tokens`` is float64). Within a sample it depends on the tokens of
        that sample alone, not on padding or on the rest of the batch.

    Raises:
        FuzzsmoothError: If the activations are not finite.
    """
    scratch = Scratch() if scratch is None else scratch
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    keep = spans.mask(tokens.device) if spans.padded else None
    x = tokens if keep is None else tokens.masked_fill(~keep[:, :, None], 0)
    rank = tokens.size(2) + int(bias)
    rows = tuple(
        (0, rank) if count > rank else (first, count)
        for first, count in zip(spans.first, spans.count, strict=True)
    )
    if max(spans.count) <= rank:
        return NoiseFactor(_cholesky(x, keep, bias, scratch).to(dtype), rows)
    ones = torch.ones_like(x[:, :, :1]) if keep is None else keep[:, :, None].to(x.dtype)
    direct = torch.cat([x, ones], dim=2) if bias else x
    if min(spans.count) > rank:
        return NoiseFactor(direct.to(dtype), rows)
    factor = torch.zeros(*x.shape[:2], spans.length, dtype=dtype, device=x.device)
    long = torch.tensor([count > rank for count in spans.count], device=x.device)
    factor[long, :, :rank] = direct[long].to(dtype)
    short = None if keep is None else keep[~long]
    factor[~long] = _cholesky(x[~long], short, bias, scratch).to(dtype)
    return NoiseFactor(factor, rows)


def _gram(x: Tensor, dtype: torch.dtype, scratch: Scratch) -> Tensor:
    """X X^T of each sample, computed in ``dtype``."""
    samples, length, width = x.shape
    gram = x.new_empty(samples, length, length, dtype=dtype)
    if x.dtype == dtype:
        return torch.bmm(x, x.mT, out=gram)
    chunk = max(1, _CHUNK // (length * width * dtype.itemsize)) if x.device.type == "cpu" else samples
    for part, out in zip(torch.split(x, chunk), torch.split(gram, chunk), strict=True):
        wide = scratch.take("wide", part.shape, dtype, x.device).copy_(part)
        torch.bmm(wide, wide.mT, out=out)
    return gram


def _factored(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Lower Cholesky factors of float64 matrices, and for each a number that is not 0 if there is none."""
    if gram.device.type == "cuda" and has_kernels():
        from fuzzsmooth.noise.weight import cuda_kernels

        if gram.size(1) <= cuda_kernels.LARGEST:
            return cuda_kernels.cholesky(gram)
    factor, failed = torch.linalg.cholesky_ex(gram)
    return factor, failed


def _cholesky(x: Tensor, keep: Tensor | None, bias: bool, scratch: Scratch) -> Tensor:
    """Lower Cholesky factors of the token covariances, float64; identity at padding."""
    if x.device.type != "cpu" or x.dtype == torch.float64:
        return _jittered(x, keep, bias, scratch)
    gram, diagonal = _covariance(x, keep, bias, torch.float32, scratch)
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(gram)
    # Written so that a value that is not a number is poor.
    sound = (factor.diagonal(dim1=1, dim2=2).square() >= _INDEPENDENT * diagonal) & (diagonal > _SMALL)
    poor = (failed.ne(0) | ~sound.all(dim=1)).nonzero()[:, 0]
    if poor.numel():
        factor[poor] = _jittered(x[poor], None if keep is None else keep[poor], bias, scratch)
    return factor


def _covariance(
    x: Tensor, keep: Tensor | None, bias: bool, dtype: torch.dtype, scratch: Scratch
) -> tuple[Tensor, Tensor]:
    """X X^T + 1 1^T of each sample, computed in ``dtype``, held in float64; and a view of its diagonal."""
    gram = _gram(x, dtype, scratch).double()
    if bias and keep is None:
        gram += 1
    elif bias and keep is not None:
        gram += keep[:, :, None] & keep[:, None, :]
    diagonal = gram.diagonal(dim1=1, dim2=2)
    # A token that is zero (no bias) has no noise; the tiny term only keeps its pivot positive.
    diagonal += torch.finfo(diagonal.dtype).tiny
    if keep is not None:
        diagonal += ~keep
    return gram, diagonal


def _jittered(x: Tensor, keep: Tensor | None, bias: bool, scratch: Scratch) -> Tensor:
    """Lower Cholesky factors of the jittered covariances, all in float64."""
    gram, diagonal = _covariance(x, keep, bias, torch.float64, scratch)
    exact = diagonal.clone()
    diagonal.copy_(exact * (1 + _JITTERS[0]))
    factor, failed = _factored(gram)
    for jitter in _JITTERS[1:]:
        bad = failed.nonzero()[:, 0]
        if not bad.numel():
            break
        diagonal[bad] = exact[bad] * (1 + jitter)
        factor[bad], failed[bad] = torch.linalg.cholesky_ex(gram[bad])
    if failed.any() or not factor.diagonal(dim1=1, dim2=2).sum().isfinite():
        raise FuzzsmoothError(
            "activations of the noisy model are not finite; lower sigma or load the model in float32"
        )
    return factor
