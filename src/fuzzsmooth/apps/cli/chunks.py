"""How many texts are answered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzzsmooth.smoothing import SmoothingOptions


def chunk_size(options: SmoothingOptions) -> int:
    """Texts per append: enough to fill the model's batches, few enough that a kill loses little.

    The answers do not depend on it.
    """
    if options.mode == "frs":
        return 32
    if options.mode == "windows":
        return 8
    searches = options.fuzzing and options.fuzz_left == "search"  # one search per draw
    return 1 if searches else max(1, min(4, 4096 // options.draws))
