"""fuzzsmooth: certified protection of language models against textual backdoors.

The public names are imported when first used, so that ``import fuzzsmooth`` does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.version import VERSION

if TYPE_CHECKING:
    from fuzzsmooth.certify import Certificate as Certificate
    from fuzzsmooth.fuzz import References as References
    from fuzzsmooth.fuzz import SearchOptions as SearchOptions
    from fuzzsmooth.models import CallableClassifier as CallableClassifier
    from fuzzsmooth.models import load_classifier as load_classifier
    from fuzzsmooth.smoothing import SmoothedClassifier as SmoothedClassifier
    from fuzzsmooth.smoothing import SmoothingOptions as SmoothingOptions

__version__ = VERSION

_HOMES = {
    "CallableClassifier": "fuzzsmooth.models",
    "Certificate": "fuzzsmooth.certify",
    "References": "fuzzsmooth.fuzz",
    "SearchOptions": "fuzzsmooth.fuzz",
    "SmoothedClassifier": "fuzzsmooth.smoothing",
    "SmoothingOptions": "fuzzsmooth.smoothing",
    "load_classifier": "fuzzsmooth.models",
}

__all__ = [
    "CallableClassifier",
    "Certificate",
    "References",
    "SearchOptions",
    "SmoothedClassifier",
    "SmoothingOptions",
    "load_classifier",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fuzzsmooth' has no attribute '{name}'")
