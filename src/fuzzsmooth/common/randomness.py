"""Counter-based randomness: every draw has its own generator, a function of what it is drawn for.

Nothing here is global. A generator is addressed by (seed, purpose, text, draw), so a result does not
depend on batch size, text order, process count or restarts.
"""

from __future__ import annotations

import hashlib

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError


def text_key(text: str) -> int:
    """A 64-bit key of a text: the first 8 bytes of its SHA-256, little endian.

    The same text always gets the same draws under one seed; two different texts practically never share
    them. The mask law does not depend on the key, which is what soundness asks for.
    """
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "little")


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A generator for one address, independent of all other addresses.

    Args:
        seed: The user's seed, a non-negative integer.
        purpose: What is drawn ("deletion", "weights", "search", ...); separates streams that share counters.
        *counters: Any number of non-negative integers below 2**64, such as a text key and a draw index.

    Returns:
        A fresh Philox generator: its 128-bit key is a hash of the address, so nearby addresses are unrelated.

    Raises:
        FuzzsmoothError: If the seed or a counter is out of range.
    """
    return np.random.Generator(np.random.Philox(key=_address(seed, purpose, counters)))


def derived_seed(seed: int, purpose: str, *counters: int) -> int:
    """A 63-bit seed for one address, for libraries that take an integer (torch generators)."""
    return _address(seed, purpose, counters) & (2**63 - 1)


def _address(seed: int, purpose: str, counters: tuple[int, ...]) -> int:
    for value in (seed, *counters):
        if not 0 <= value < 2**64:
            raise FuzzsmoothError(f"a seed or counter must lie in 0 to 2**64 - 1, got {value}")
    parts = [purpose.encode(), *(int(value).to_bytes(8, "little") for value in (seed, *counters))]
    return int.from_bytes(hashlib.blake2b(b"\x00".join(parts), digest_size=16).digest(), "little")
