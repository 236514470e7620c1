"""Smoothing: options, draws and votes, and the smoothed classifier."""

from fuzzsmooth.smoothing.beside import REFERENCES_FILE, references_beside
from fuzzsmooth.smoothing.classifier import SmoothedClassifier
from fuzzsmooth.smoothing.options import SmoothingOptions
from fuzzsmooth.smoothing.results import Certification, Prediction
from fuzzsmooth.smoothing.weighted import TypeRates

__all__ = [
    "REFERENCES_FILE",
    "Certification",
    "Prediction",
    "SmoothedClassifier",
    "SmoothingOptions",
    "TypeRates",
    "references_beside",
]
