"""Evaluation: one record per text, and the metrics computed from the records. Importable without torch.

The experiment that writes the records needs torch, so it is imported by its own module name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.bench.metrics import Curve, Row, Share, covers_trigger, summarize
    from fuzzsmooth.bench.records import RunSettings, Span, TextRecord, read_records

__all__ = [
    "Curve",
    "Row",
    "RunSettings",
    "Share",
    "Span",
    "TextRecord",
    "covers_trigger",
    "read_records",
    "summarize",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Curve": "metrics",
        "Row": "metrics",
        "RunSettings": "records",
        "Share": "metrics",
        "Span": "records",
        "TextRecord": "records",
        "covers_trigger": "metrics",
        "read_records": "records",
        "summarize": "metrics",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
