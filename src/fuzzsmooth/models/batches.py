"""Cutting token sequences into batches of similar length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

# A forward call costs about as much as this many tokens before it computes anything (Python, and reading the
# weights once): measured on MiniLM-L6. Batches are split where that saves more padding than it costs.
_CALL = 32

# The same on an accelerator, which computes thousands of tokens in the time that launching a pass takes:
# measured on one H200 with a BERT of base size, 2.5 ms to launch and 2,000 tokens a millisecond.
_LAUNCH = 5000

# Tokens per sequence allowed that a call of short sequences may hold. Matrix products are then tall enough
# to run at full speed: measured on MiniLM-L6, 15 % faster at five tokens a sequence.
_TOKENS = 64


def length_batches(lengths: Sequence[int], batch_size: int, *, accelerator: bool = False) -> list[list[int]]:
    """Cut sequences into batches, the longest first, so that calls and padding together cost least.

    The cost of a batch is its padded size plus a constant per call. Among partitions that keep sequences of
    one length together the cheapest is found by dynamic programming over the distinct lengths; a batch that
    is too large is then cut evenly.

    Args:
        lengths: Number of tokens of each sequence, >= 1.
        batch_size: Most sequences in a batch, >= 1; of short ones as many as make 64 times that many tokens.
        accelerator: Whether calls are launched on a device that computes by itself.

    Returns:
        Indices into ``lengths``; each occurs in exactly one batch. Longest first, so that memory runs out at
        once or never.
    """
    call = _LAUNCH if accelerator else _CALL
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    groups = [(length, list(same)) for length, same in groupby(order, key=lambda index: lengths[index])]
    best: list[tuple[float, int]] = [(0.0, 0)]  # cheapest cost of the first groups, and where its last starts
    for end in range(1, len(groups) + 1):
        size, choices = 0, []
        for start in range(end - 1, -1, -1):
            size += len(groups[start][1])
            calls = -(-size // _rows(groups[start][0], batch_size))
            choices.append((best[start][0] + calls * call + size * groups[start][0], start))
        best.append(min(choices))
    runs: list[list[int]] = []
    end = len(groups)
    while end:
        start = best[end][1]
        runs.append([index for _, same in groups[start:end] for index in same])
        end = start
    batches: list[list[int]] = []
    for run in reversed(runs):
        calls = -(-len(run) // _rows(lengths[run[0]], batch_size))
        cuts = [part * len(run) // calls for part in range(calls + 1)]
        batches += [run[first:last] for first, last in pairwise(cuts)]
    return batches


def equal_length_batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Cut sequences into batches of one length each, the longest first: for models that read padding.

    Args:
        lengths: As in :func:`length_batches`.
        batch_size: As in :func:`length_batches`.

    Returns:
        As :func:`length_batches`.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches: list[list[int]] = []
    for length, same in groupby(order, key=lambda index: lengths[index]):
        run, size = list(same), _rows(length, batch_size)
        batches += [run[start : start + size] for start in range(0, len(run), size)]
    return batches


def _rows(length: int, batch_size: int) -> int:
    """Most sequences in a batch whose longest has ``length`` tokens."""
    return max(batch_size, batch_size * _TOKENS // length)
