"""Classifiers: the protocol, safe loading, Hugging Face models, any callable, and known-probability stubs.

Importing this room does not import PyTorch; the names that need it are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.lazy import lazy_names
from fuzzsmooth.models.callable import CallableClassifier
from fuzzsmooth.models.encoding import EncodedTexts
from fuzzsmooth.models.model import MODELS, NamedModel
from fuzzsmooth.models.protocol import (
    Classifier,
    Probabilities,
    SlowPathWarning,
    TokenClassifier,
    WeightNoise,
)
from fuzzsmooth.models.sources import ResolvedModel, resolve_model
from fuzzsmooth.models.stubs import AdditiveClassifier, TriggerClassifier

if TYPE_CHECKING:
    from fuzzsmooth.models.generation import GenerationOptions, PredicateOptions
    from fuzzsmooth.models.heads import head_labels
    from fuzzsmooth.models.huggingface import HuggingFaceClassifier
    from fuzzsmooth.models.loading import ModelWarning, load_classifier
    from fuzzsmooth.models.predicate import PREDICATES, Predicate
    from fuzzsmooth.models.predicated import PredicateClassifier, load_predicated
    from fuzzsmooth.models.quiet import quiet_transformers
    from fuzzsmooth.models.rows import pad_rows
    from fuzzsmooth.models.tiny import build_tiny

__all__ = [
    "MODELS",
    "PREDICATES",
    "AdditiveClassifier",
    "CallableClassifier",
    "Classifier",
    "EncodedTexts",
    "GenerationOptions",
    "HuggingFaceClassifier",
    "ModelWarning",
    "NamedModel",
    "Predicate",
    "PredicateClassifier",
    "PredicateOptions",
    "Probabilities",
    "ResolvedModel",
    "SlowPathWarning",
    "TokenClassifier",
    "TriggerClassifier",
    "WeightNoise",
    "build_tiny",
    "head_labels",
    "load_classifier",
    "load_predicated",
    "pad_rows",
    "quiet_transformers",
    "resolve_model",
]

__getattr__ = lazy_names(
    __name__,
    {
        "GenerationOptions": "generation",
        "HuggingFaceClassifier": "huggingface",
        "ModelWarning": "loading",
        "PREDICATES": "predicate",
        "Predicate": "predicate",
        "PredicateClassifier": "predicated",
        "PredicateOptions": "generation",
        "build_tiny": "tiny",
        "head_labels": "heads",
        "load_classifier": "loading",
        "load_predicated": "predicated",
        "pad_rows": "rows",
        "quiet_transformers": "quiet",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
