"""Triton kernels for parameter noise on a CUDA device: normals of many streams, and small Cholesky factors.

Drawing sample by sample costs one kernel launch per sample and layer, which is most of a batched pass; here
one launch serves all of them. PyTorch's CUDA builds bring Triton; nothing here is imported elsewhere.
"""

from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]
from torch import Tensor

LARGEST = 64
"""Largest matrix that :func:`cholesky` factors: it is held in the registers of one block."""

_BLOCK = 256
_COLUMNS = 32  # columns of a quarter that one block adds noise to
_LEAST = 2.0**-14  # of a token's variance: sums in float32 may leave a pivot below zero
_ROUNDS = tl.constexpr(7)  # the fewest for which Philox4x32 passes BigCrush (Salmon et al., SC 2011)


def fill_normals(z: Tensor, first: Tensor, count: Tensor, seeds: Tensor, call: int) -> None:
    """Write standard normals into rows [first, first + count) of each sample, and zeros into the others.

    The normal at a row and column is a function of the sample's seed, the call number, the row counted from
    ``first``, and the column: not of padding or of the other samples.

    Args:
        z: Shape (samples, length, width), float32 or float64, contiguous; overwritten.
        first: int32, shape (samples,) or (1,) where all agree.
        count: int32, as ``first``.
        seeds: int64, shape (samples,).
        call: Number of the call, in [0, 2**31); each gives fresh normals.
    """
    samples, length, width = z.shape
    quarter = triton.cdiv(width, 4)
    grid = (samples, triton.cdiv(length * quarter, _BLOCK))
    with torch.cuda.device(z.device):
        _fill[grid](
            z, first, count, seeds, call, length, width, quarter,
            _step(first), BLOCK=_BLOCK,
        )  # fmt: skip


def cholesky(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Lower Cholesky factors, as :func:`torch.linalg.cholesky_ex` gives them.

    Args:
        gram: Shape (samples, n, n), float64, symmetric, contiguous, n at most :data:`LARGEST`.

    Returns:
        The factors, and for each a number that is not 0 if a pivot was not positive.
    """
    samples, size, _ = gram.shape
    factor = torch.empty_like(gram)
    failed = torch.empty(samples, dtype=torch.int32, device=gram.device)
    padded = _padded(size)
    with torch.cuda.device(gram.device):
        _cholesky[(samples,)](gram, factor, failed, size, N=padded, num_warps=1 if padded <= 32 else 4)
    return factor, failed


def factor(x: Tensor, first: Tensor, count: Tensor, *, bias: bool) -> Tensor:
    """Lower factors C of X X^T (+ 1 1^T) over the tokens of each sample, for activations in bfloat16.

    The products of bfloat16 numbers are summed in float32, and a pivot is at least 2**-14 of its token's
    variance. So a token that equals another one gets up to 1 % of noise of its own; of tokens that differ
    the covariance is kept to 1e-4, less than rounding activations to bfloat16 does.

    Args:
        x: Shape (samples, n, width), bfloat16, contiguous, n at most :data:`LARGEST`.
        first: int32, first token of each sample, shape (samples,) or (1,) where all agree.
        count: int32, number of its tokens, as ``first``.
        bias: Whether the layer has a noised bias.

    Returns:
        Shape (samples, n, n), float32; the identity at padding. Not finite where ``x`` is not.
    """
    samples, size, width = x.shape
    found = torch.empty(samples, size, size, dtype=torch.float32, device=x.device)
    padded = _padded(size)
    with torch.cuda.device(x.device):
        _factor[(samples,)](
            x, first, count, found, size, _step(first), _LEAST, WIDTH=width,
            BIAS=bias, N=padded, num_warps=1 if padded <= 32 else 4,
        )  # fmt: skip
    return found


def add_noise(
    output: Tensor, matrix: Tensor, first: Tensor, count: Tensor, seeds: Tensor, call: int, sigma: float
) -> None:
    """Add sigma C Z to the output of a layer, Z being what :func:`fill_normals` would write.

    Args:
        output: Shape (samples, n, width), bfloat16, contiguous; changed in place.
        matrix: C, shape (samples, n, n), float32.
        first: As in :func:`factor`.
        count: As in :func:`factor`.
        seeds: int64, shape (samples,).
        call: Number of the call, in [0, 2**31).
        sigma: Standard deviation of the noise.
    """
    samples, size, width = output.shape
    quarter = triton.cdiv(width, 4)
    padded = _padded(size)
    with torch.cuda.device(output.device):
        _add_noise[(samples, triton.cdiv(quarter, _COLUMNS))](
            output, matrix, first, count, seeds, call, sigma, size, width, quarter,
            _step(first), N=padded, COLUMNS=_COLUMNS, num_warps=4,
        )  # fmt: skip


def add_norm_noise(output: Tensor, x: Tensor, z: Tensor, eps: float, sigma: float) -> None:
    """Add sigma (normalized * gain noise + offset noise) to the output of a layer normalization.

    Args:
        output: Shape (samples, tokens, width), bfloat16, contiguous; changed in place.
        x: What was normalized, likewise.
        z: Standard normals, shape (samples, 2 * width), float32: of the gain, then of the offset.
        eps: The layer's epsilon.
        sigma: Standard deviation of the noise.
    """
    samples, tokens, width = x.shape
    with torch.cuda.device(x.device):
        _add_norm_noise[(samples * tokens,)](
            output, x, z, tokens, width, eps, sigma, BLOCK=triton.next_power_of_2(width)
        )


def _padded(size: int) -> int:
    """Side of the square that holds ``size`` tokens: a power of two that matrix products take."""
    return int(max(16, triton.next_power_of_2(size)))


def _step(per_sample: Tensor) -> int:
    """How far apart the numbers of two samples are: 0 where one serves all."""
    return 0 if per_sample.numel() == 1 else 1


@triton.jit(do_not_specialize=["call"])  # type: ignore[untyped-decorator,unused-ignore]
def _fill(z, first, count, seeds, call, length, width, quarter, step, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
    """Philox4x32 gives four words, and Box and Muller's transform makes four normals of them.

    They stand a quarter of a row apart.
    """
    sample = tl.program_id(0)
    place = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    row = place // quarter
    column = place % quarter
    begin = tl.load(first + sample * step)
    drawn = (row >= begin) & (row < begin + tl.load(count + sample * step))
    z_0, z_1, z_2, z_3 = _normals(tl.load(seeds + sample), column, row - begin, call, drawn)
    inside = row < length
    out = z + sample.to(tl.int64) * length * width + row * width + column
    tl.store(out, z_0, mask=inside & (column < width))
    tl.store(out + quarter, z_1, mask=inside & (column + quarter < width))
    tl.store(out + 2 * quarter, z_2, mask=inside & (column + 2 * quarter < width))
    tl.store(out + 3 * quarter, z_3, mask=inside & (column + 3 * quarter < width))


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _normals(seed, column, row, call, drawn):  # type: ignore[no-untyped-def]
    """Four normals for each counter (column, row, call), and zeros where nothing is drawn."""
    column = column.to(tl.uint32)
    zero = column * 0
    a, b, c, d = tl.philox(seed, column, zero + row.to(tl.uint32), (zero + call).to(tl.uint32), zero, _ROUNDS)
    radius_1 = tl.where(drawn, _radius(a), 0.0)
    radius_2 = tl.where(drawn, _radius(c), 0.0)
    angle_1, angle_2 = _angle(b), _angle(d)
    return (
        radius_1 * tl.cos(angle_1),
        radius_1 * tl.sin(angle_1),
        radius_2 * tl.cos(angle_2),
        radius_2 * tl.sin(angle_2),
    )


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _radius(word):  # type: ignore[no-untyped-def]
    """The root of -2 ln u, u in (0, 1]."""
    return tl.sqrt(-2.0 * tl.log(word.to(tl.float32) * 2.3283064365386963e-10 + 1.1641532182693481e-10))


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _angle(word):  # type: ignore[no-untyped-def]
    """An angle in [-pi, pi]."""
    return word.to(tl.int32, bitcast=True).to(tl.float32) * 1.4629180792671596e-09


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _cholesky(gram, factor, failed, size, N: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
    """Column by column; the trailing part stays symmetric, so its rows are its columns."""
    sample = tl.program_id(0).to(tl.int64)
    row = tl.arange(0, N)[:, None]
    column = tl.arange(0, N)[None, :]
    inside = (row < size) & (column < size)
    place = sample * size * size + row * size + column
    a = tl.load(gram + place, mask=inside, other=0.0)
    a = tl.where((row == column) & (row >= size), 1.0, a)
    bad = 0
    for k in range(N):  # padding is the identity, whose columns change nothing
        down = tl.sum(tl.where(column == k, a, 0.0), axis=1)
        across = tl.sum(tl.where(row == k, a, 0.0), axis=0)
        pivot = tl.sum(tl.where(tl.arange(0, N) == k, down, 0.0), axis=0)
        bad = tl.where(pivot > 0, bad, 1)
        scale = 1.0 / tl.sqrt(pivot)
        down = (down * scale)[:, None]
        across = (across * scale)[None, :]
        trailing = (row > k) & (column > k)
        a = tl.where(trailing, a - down * across, tl.where(column == k, down, a))
    tl.store(factor + place, tl.where(row >= column, a, 0.0), mask=inside)
    tl.store(failed + sample, bad)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _factor(  # type: ignore[no-untyped-def]
    x, first, count, found, size, step, least,
    WIDTH: tl.constexpr, BIAS: tl.constexpr, N: tl.constexpr,  # noqa: N803
):  # fmt: skip
    sample = tl.program_id(0).to(tl.int64)
    token = tl.arange(0, N)
    begin = tl.load(first + sample * step)
    own = (token >= begin) & (token < begin + tl.load(count + sample * step))
    row, column = token[:, None], token[None, :]
    a = tl.zeros((N, N), tl.float32)
    for start in range(0, WIDTH, 64):
        across = start + tl.arange(0, 64)
        place = sample * size * WIDTH + row * WIDTH + across[None, :]
        part = tl.load(x + place, mask=own[:, None] & (across[None, :] < WIDTH), other=0.0)
        wide = part.to(tl.float32)  # TF32 holds a bfloat16 number exactly
        a += tl.dot(wide, tl.trans(wide), input_precision="tf32")
    both = own[:, None] & own[None, :]
    if BIAS:
        a += tl.where(both, 1.0, 0.0)
    # A token that is zero (no bias) has no noise; the tiny term only keeps its pivot positive.
    variance = tl.sum(tl.where(row == column, a, 0.0), axis=1) + 1e-30
    a = tl.where(both, a, tl.where(row == column, 1.0, 0.0))
    a += tl.where((row == column) & both, (least * variance)[:, None], 0.0)
    for k in range(N):  # the identity at padding changes nothing
        down = tl.sum(tl.where(column == k, a, 0.0), axis=1)
        across_k = tl.sum(tl.where(row == k, a, 0.0), axis=0)
        pivot = tl.sum(tl.where(token == k, down, 0.0), axis=0)
        floor = tl.sum(tl.where((token == k) & own, least * variance, 0.0), axis=0)
        raised = tl.where(pivot < floor, floor, pivot)  # of a pivot that is not a number nothing is made
        scale = 1.0 / tl.sqrt(raised)
        down = tl.where(token == k, raised, down) * scale
        across_k = tl.where(token == k, raised, across_k) * scale
        a = tl.where(
            (row > k) & (column > k),
            a - down[:, None] * across_k[None, :],
            tl.where(column == k, down[:, None], a),
        )
    place = sample * size * size + row * size + column
    tl.store(found + place, tl.where(row >= column, a, 0.0), mask=(row < size) & (column < size))


@triton.jit(do_not_specialize=["call"])  # type: ignore[untyped-decorator,unused-ignore]
def _add_noise(  # type: ignore[no-untyped-def]
    output, matrix, first, count, seeds, call, sigma, size, width, quarter, step,
    N: tl.constexpr, COLUMNS: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """The normals never leave the registers."""
    sample = tl.program_id(0).to(tl.int64)
    token = tl.arange(0, N)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    begin = tl.load(first + sample * step)
    own = (token >= begin) & (token < begin + tl.load(count + sample * step))
    place = sample * size * size + token[:, None] * size + token[None, :]
    c = tl.load(matrix + place, mask=own[:, None] & own[None, :], other=0.0) * sigma
    z_0, z_1, z_2, z_3 = _normals(
        tl.load(seeds + sample), column[None, :], (token - begin)[:, None], call, own[:, None]
    )
    out = output + sample * size * width + token[:, None] * width + column[None, :]
    inside = own[:, None] & (column < quarter)[None, :]
    _add_product(out, c, z_0, inside & (column < width)[None, :])
    _add_product(out + quarter, c, z_1, inside & (column + quarter < width)[None, :])
    _add_product(out + 2 * quarter, c, z_2, inside & (column + 2 * quarter < width)[None, :])
    _add_product(out + 3 * quarter, c, z_3, inside & (column + 3 * quarter < width)[None, :])


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _add_product(out, c, z, inside):  # type: ignore[no-untyped-def]
    sum_of = tl.load(out, mask=inside, other=0.0).to(tl.float32) + tl.dot(c, z, input_precision="tf32")
    tl.store(out, sum_of.to(out.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _add_norm_noise(output, x, z, tokens, width, eps, sigma, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    value = tl.load(x + row * width + column, mask=inside, other=0.0).to(tl.float32)
    centered = tl.where(inside, value - tl.sum(value, axis=0) / width, 0.0)
    normalized = centered / tl.sqrt(tl.sum(centered * centered, axis=0) / width + eps)
    own = z + (row // tokens) * 2 * width + column
    noise = normalized * tl.load(own, mask=inside, other=0.0) + tl.load(own + width, mask=inside, other=0.0)
    out = output + row * width + column
    sum_of = tl.load(out, mask=inside, other=0.0).to(tl.float32) + sigma * noise
    tl.store(out, sum_of.to(out.dtype.element_ty), mask=inside)
