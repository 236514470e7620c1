"""fuzzsmooth: certified protection of language models against textual backdoors.

The public names are imported when first used, so that ``import fuzzsmooth`` does not load torch.
"""

# Nothing but this package's version is imported here: ``python -m fuzzsmooth`` runs this file while the
# working folder, which may be a stranger's, is still in front of Python's own library.
from fuzzsmooth.common.version import VERSION

TYPE_CHECKING = False  # as typing has it, which is not imported
if TYPE_CHECKING:
    from fuzzsmooth.apps.interop.hub import push_to_hub as push_to_hub
    from fuzzsmooth.apps.interop.pipeline import pipeline as pipeline
    from fuzzsmooth.certify import Certificate as Certificate
    from fuzzsmooth.defenses import Answer as Answer
    from fuzzsmooth.defenses import Defense as Defense
    from fuzzsmooth.defenses import protect as protect
    from fuzzsmooth.jobs.audit import audit as audit
    from fuzzsmooth.models import CallableClassifier as CallableClassifier
    from fuzzsmooth.models import load_classifier as load_classifier
    from fuzzsmooth.search import References as References
    from fuzzsmooth.search import SearchOptions as SearchOptions

__version__ = VERSION

_HOMES = {
    "Answer": "fuzzsmooth.defenses",
    "CallableClassifier": "fuzzsmooth.models",
    "Certificate": "fuzzsmooth.certify",
    "Defense": "fuzzsmooth.defenses",
    "References": "fuzzsmooth.search",
    "SearchOptions": "fuzzsmooth.search",
    "audit": "fuzzsmooth.jobs.audit",
    "load_classifier": "fuzzsmooth.models",
    "pipeline": "fuzzsmooth.apps.interop.pipeline",
    "push_to_hub": "fuzzsmooth.apps.interop.hub",
    "protect": "fuzzsmooth.defenses",
}

__all__ = [
    "Answer",
    "CallableClassifier",
    "Certificate",
    "Defense",
    "References",
    "SearchOptions",
    "SmoothedClassifier",
    "audit",
    "load_classifier",
    "pipeline",
    "protect",
    "push_to_hub",
]


class SmoothedClassifier:
    """The way of transformers to a defended classifier: see :func:`fuzzsmooth.protect`."""

    @staticmethod
    def from_pretrained(model, defense=None, **more):  # type: ignore[no-untyped-def]
        """Load a model safely and put a defense around it; the arguments are those of ``protect``."""
        from fuzzsmooth.defenses import protect

        return protect(model, defense, **more)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fuzzsmooth' has no attribute '{name}'")
    from fuzzsmooth.common.lazy import found_in

    return found_in(_HOMES[name], name)


def __dir__() -> list[str]:
    return sorted(__all__)
