"""Names of a package that are imported when first used, so that a package costs what is used of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


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
        value = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)  # found by itself from now on
        return value

    return find
