"""The attack recipes by name, without what runs them: they can be listed and given options without torch."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fuzzsmooth.attacks.badnets_options import BadnetsOptions
from fuzzsmooth.attacks.recipe import AttackRecipe
from fuzzsmooth.attacks.ripple_options import RippleOptions
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options


@dataclass(frozen=True)
class KnownRecipe:
    """A recipe that can be had.

    Attributes:
        summary: What it does, in a few words.
        options_type: Its options.
        home: The module that defines it, imported when it is first run.
        class_name: Its class there.
    """

    summary: str
    options_type: type[Options]
    home: str
    class_name: str


RECIPES: Mapping[str, KnownRecipe] = MappingProxyType(
    {
        "ripple": KnownRecipe(
            "a backdoor in a pre-trained model that survives the victim's clean fine-tuning",
            RippleOptions,
            "fuzzsmooth.attacks.ripple",
            "Ripple",
        ),
        "badnets": KnownRecipe(
            "a victim fine-tuned on poisoned data",
            BadnetsOptions,
            "fuzzsmooth.attacks.badnets_recipe",
            "Badnets",
        ),
    }
)
"""Attack recipes by name."""


def known_recipe(name: str) -> KnownRecipe:
    """The entry of a name in :data:`RECIPES`.

    Raises:
        FuzzsmoothError: If there is none; the nearest is suggested.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(RECIPES)}"
        raise FuzzsmoothError(f"unknown attack recipe '{name}'; {hint}")
    return RECIPES[name]


def recipe(name: str) -> AttackRecipe[Any]:
    """The recipe of a name in :data:`RECIPES`, ready to run.

    Raises:
        FuzzsmoothError: As :func:`known_recipe`.
    """
    known = known_recipe(name)
    made: AttackRecipe[Any] = getattr(importlib.import_module(known.home), known.class_name)()
    return made
