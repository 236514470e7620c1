"""Evaluation: one record per text, and the metrics computed from the records. Importable without torch.

The experiment that writes the records needs torch, so it is imported by its own module name.
"""

from fuzzsmooth.evaluate.metrics import Curve, Row, Share, covers_trigger, summarize
from fuzzsmooth.evaluate.records import RunSettings, Span, TextRecord, read_records

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
