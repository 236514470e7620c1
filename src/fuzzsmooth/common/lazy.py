"""Names of a package that are imported when first used, so that a package costs what is used of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Final

from fuzzsmooth.common.errors import MissingExtraError

_MODELS: Final = ("models", "a language model")
BROUGHT_BY: Final[Mapping[str, tuple[str, str]]] = {
    "torch": _MODELS,
    "transformers": _MODELS,
    "accelerate": _MODELS,
    "safetensors": _MODELS,
    "tokenizers": _MODELS,
    "huggingface_hub": _MODELS,
    "wordfreq": ("search", "the search for suspicious words"),
}
"""What is imported in many places, to the extra that brings it and what needs it.

Packages of other extras are imported in one place each, which tells its own sentence.
"""


def missing_extra(error: ImportError) -> MissingExtraError | None:
    """The sentence for an import that failed for want of an extra; None for any other failure."""
    name = error.name or ""
    if not isinstance(error, ModuleNotFoundError) or name not in BROUGHT_BY:
        return None
    extra, purpose = BROUGHT_BY[name]
    return MissingExtraError(name, extra, purpose)


def found_in(module: str, name: str) -> object:
    """A name of a module, which is imported.

    Raises:
        MissingExtraError: If the module needs a package of an extra that is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        known = missing_extra(error)
        if known is None:
            raise
        raise known from error


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of a package some of whose names live in modules that cost much to import.

    Args:
        package: Its ``__name__``.
        homes: These names, to the module inside the package that defines each. No name may be that of a
            module: importing one binds it in the package.
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = found_in(f"{package}.{homes[name]}", name)
        setattr(sys.modules[package], name, value)  # found by itself from now on
        return value

    return find
