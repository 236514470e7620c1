"""How many texts are answered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzzsmooth.engine import SmoothingOptions


_PASSES = 16_384
"""Passes of a chunk in mode "certified" at most. Early stops leave a third of them, and equal draws are asked
about once, so that with a small model on a processor a kill loses some seconds. Fewer starve the batches."""

_VOTES = 65_536
"""Copies of a chunk in mode "frs" at most: they are in memory together, about a kilobyte each."""


def chunk_size(options: SmoothingOptions) -> int:
    """Texts per append: enough to fill the model's batches, few enough that a kill loses little.

    The answers do not depend on it.
    """
    if options.mode == "frs":
        return max(1, min(32, _VOTES // options.copies))
    if options.mode == "windows":
        return 8
    searches = options.fuzzing and options.fuzz_left == "search"  # one search per draw
    return 1 if searches else max(1, min(64, _PASSES // options.draws))
