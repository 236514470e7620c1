"""Defenses of equal standing, one a file: ours (frs, deletion, windows) and those of others.

Importable without torch; names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.defenses.answer import Answer
    from fuzzsmooth.defenses.defense import DEFENSES, Defense, Needs
    from fuzzsmooth.defenses.fitted import FittedDefense
    from fuzzsmooth.defenses.material import Material
    from fuzzsmooth.defenses.protecting import defend, protect
    from fuzzsmooth.defenses.saved import REFERENCES_FILE, references_beside

__all__ = [
    "DEFENSES",
    "REFERENCES_FILE",
    "Answer",
    "Defense",
    "FittedDefense",
    "Material",
    "Needs",
    "defend",
    "protect",
    "references_beside",
]

__getattr__ = lazy_names(
    __name__,
    {
        "DEFENSES": "defense",
        "REFERENCES_FILE": "saved",
        "Answer": "answer",
        "Defense": "defense",
        "FittedDefense": "fitted",
        "Material": "material",
        "Needs": "defense",
        "defend": "protecting",
        "protect": "protecting",
        "references_beside": "saved",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
