"""Fuzzing: Monte Carlo tree search for the segments of a text that may be a trigger.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.search.options import SearchOptions
    from fuzzsmooth.search.references import References
    from fuzzsmooth.search.scan import Scan, Scanner, Span
    from fuzzsmooth.search.selection import select_references

__all__ = [
    "References",
    "Scan",
    "Scanner",
    "SearchOptions",
    "Span",
    "select_references",
]

__getattr__ = lazy_names(
    __name__,
    {
        "References": "references",
        "Scan": "scan",
        "Scanner": "scan",
        "SearchOptions": "options",
        "Span": "scan",
        "select_references": "selection",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
