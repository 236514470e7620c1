"""Fuzzing: Monte Carlo tree search for the segments of a text that may be a trigger."""

from fuzzsmooth.fuzz.options import SearchOptions
from fuzzsmooth.fuzz.references import References
from fuzzsmooth.fuzz.scan import Scan, Scanner, Span
from fuzzsmooth.fuzz.search import Found

__all__ = ["Found", "References", "Scan", "Scanner", "SearchOptions", "Span"]
