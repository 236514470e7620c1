"""Counter-based randomness: every draw has its own generator, a function of what it is drawn for.

Nothing here is global. A generator is addressed by (seed, purpose, text, draw), so a result does not
depend on batch size, text order, process count or restarts.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError

_BLOCK = 8  # 32-bit words that one value of Philox's counter gives


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


def draw_words(seed: int, purpose: str, *counters: int, draws: range, width: int) -> npt.NDArray[np.uint32]:
    """The uniform 32-bit words of many draws at one address, all at once.

    One Philox stream belongs to the address, and draw k owns the same stretch of its counter whoever asks:
    word j of draw k is a function of (seed, purpose, counters, width, k, j) alone. Philox is a bijection of
    its counter under a key, so stretches that do not overlap are as independent as separate streams
    (Salmon et al., SC 2011).

    Args:
        seed: The user's seed, a non-negative integer.
        purpose: What is drawn.
        *counters: As in :func:`generator`.
        draws: Consecutive draw indices, each >= 0.
        width: Words per draw, >= 0.

    Returns:
        Shape (len(draws), width).

    Raises:
        FuzzsmoothError: If the seed or a counter is out of range, or the draws are not consecutive.
    """
    if draws and (draws.step != 1 or draws.start < 0):
        raise FuzzsmoothError(f"draws must be consecutive indices from 0 on, got {draws}")
    blocks = -(-width // _BLOCK)  # whole counter blocks, so that a draw never starts inside one
    if not draws or not blocks:
        return np.empty((len(draws), width), dtype=np.uint32)
    philox = np.random.Philox(key=_address(seed, purpose, counters), counter=draws.start * blocks)
    words = philox.random_raw(len(draws) * blocks * (_BLOCK // 2)).astype("<u8", copy=False).view("<u4")
    return words.reshape(len(draws), blocks * _BLOCK)[:, :width].astype(np.uint32, copy=False)


def derived_seed(seed: int, purpose: str, *counters: int) -> int:
    """A 63-bit seed for one address, for libraries that take an integer (torch generators)."""
    return _address(seed, purpose, counters) & (2**63 - 1)


def _address(seed: int, purpose: str, counters: tuple[int, ...]) -> int:
    for value in (seed, *counters):
        if not 0 <= value < 2**64:
            raise FuzzsmoothError(f"a seed or counter must lie in 0 to 2**64 - 1, got {value}")
    parts = [purpose.encode(), *(int(value).to_bytes(8, "little") for value in (seed, *counters))]
    return int.from_bytes(hashlib.blake2b(b"\x00".join(parts), digest_size=16).digest(), "little")
