"""Masks of units as integers, the way certificates name them, and as rows, the way the sampler takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzsmooth.engine.fuzzers import Fuzzer, TypeFuzzer
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.models.protocol import declares_deterministic
from fuzzsmooth.noise.text import Kept


def mask_rows(masks: Sequence[int], length: int) -> Kept:
    """Masks as rows of a bit matrix.

    Args:
        masks: Bit i says that unit i is kept.
        length: Number of units n.

    Returns:
        Shape (len(masks), n), true where a unit is kept.
    """
    size = (length + 7) // 8
    packed = np.frombuffer(b"".join(mask.to_bytes(size, "little") for mask in masks), dtype=np.uint8)
    rows = np.unpackbits(packed.reshape(len(masks), size), axis=1, count=length, bitorder="little")
    return rows.astype(bool)


def has_one_answer(sampler: Sampler) -> bool:
    """Whether a mask has one answer only, so that it can be enumerated: nothing after deletion is drawn."""
    return (
        sampler.noise is None
        and is_deterministic(sampler.fuzzer)
        and declares_deterministic(sampler.classifier)
    )


def is_deterministic(fuzzer: Fuzzer | None) -> bool:
    """Whether a fuzzer is a function of the remainder alone."""
    return fuzzer is None or isinstance(fuzzer, TypeFuzzer)
