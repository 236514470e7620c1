"""fuzzsmooth: certified protection of language models against textual backdoors.

The public names are imported when first used, so that ``import fuzzsmooth`` does not load torch.
"""

# Nothing but this package's version is imported here: ``python -m fuzzsmooth`` runs this file while the
# working folder, which may be a stranger's, is still in front of Python's own library.
from fuzzsmooth.common.version import VERSION

TYPE_CHECKING = False  # as typing has it, which is not imported
if TYPE_CHECKING:
    from fuzzsmooth.certify import Certificate as Certificate
    from fuzzsmooth.engine import SmoothedClassifier as SmoothedClassifier
    from fuzzsmooth.engine import SmoothingOptions as SmoothingOptions
    from fuzzsmooth.models import CallableClassifier as CallableClassifier
    from fuzzsmooth.models import load_classifier as load_classifier
    from fuzzsmooth.search import References as References
    from fuzzsmooth.search import SearchOptions as SearchOptions

__version__ = VERSION

_HOMES = {
    "CallableClassifier": "fuzzsmooth.models",
    "Certificate": "fuzzsmooth.certify",
    "References": "fuzzsmooth.search",
    "SearchOptions": "fuzzsmooth.search",
    "SmoothedClassifier": "fuzzsmooth.engine",
    "SmoothingOptions": "fuzzsmooth.engine",
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


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fuzzsmooth' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
