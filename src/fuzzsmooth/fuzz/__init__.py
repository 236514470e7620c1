"""Fuzzing: Monte Carlo tree search for the segments of a text that may be a trigger.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.fuzz.options import SearchOptions
    from fuzzsmooth.fuzz.references import References
    from fuzzsmooth.fuzz.scan import Scan, Scanner, Span
    from fuzzsmooth.fuzz.search import Found

__all__ = [
    "Found",
    "References",
    "Scan",
    "Scanner",
    "SearchOptions",
    "Span",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Found": "search",
        "References": "references",
        "Scan": "scan",
        "Scanner": "scan",
        "SearchOptions": "options",
        "Span": "scan",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
