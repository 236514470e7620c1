"""Smoothing: options, draws and votes, and the smoothed classifier."""

from fuzzsmooth.smoothing.classifier import REFERENCES_FILE, SmoothedClassifier
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
]
