"""Smoothing: options, draws and votes, and the smoothed classifier.

The options are importable without torch: names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.engine.beside import REFERENCES_FILE, references_beside
    from fuzzsmooth.engine.classifier import SmoothedClassifier
    from fuzzsmooth.engine.options import SmoothingOptions
    from fuzzsmooth.engine.results import Certification, Prediction
    from fuzzsmooth.engine.weighted import TypeRates

__all__ = [
    "REFERENCES_FILE",
    "Certification",
    "Prediction",
    "SmoothedClassifier",
    "SmoothingOptions",
    "TypeRates",
    "references_beside",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Certification": "results",
        "Prediction": "results",
        "REFERENCES_FILE": "beside",
        "SmoothedClassifier": "classifier",
        "SmoothingOptions": "options",
        "TypeRates": "weighted",
        "references_beside": "beside",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
