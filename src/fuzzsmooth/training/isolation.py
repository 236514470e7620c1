"""Global random states, seeded for a while and given back as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def isolated_randomness(seed: int) -> Iterator[None]:
    """Seed torch's global generators, which dropout draws from, and restore every global state afterwards.

    Args:
        seed: Any 63-bit seed.
    """
    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  # saved, not drawn from
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)  # noqa: NPY002
