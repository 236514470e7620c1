"""Backdoor attacks, to measure defenses against: triggers, poisoned data, poisoned pre-trained models."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fuzzsmooth.attacks.badnets import check_target, poison
from fuzzsmooth.attacks.badnets_recipe import Badnets, BadnetsOptions
from fuzzsmooth.attacks.recipe import AttackRecipe, AttackResult, load_attack, load_trigger, read_record
from fuzzsmooth.attacks.ripple import Ripple
from fuzzsmooth.attacks.ripple_options import RippleOptions
from fuzzsmooth.attacks.trigger import (
    PairTrigger,
    SentenceTrigger,
    Trigger,
    TriggeredText,
    WordTrigger,
    trigger_from_mapping,
)
from fuzzsmooth.common.errors import FuzzsmoothError

RECIPES: Mapping[str, type[AttackRecipe[Any]]] = MappingProxyType(
    {Ripple.name: Ripple, Badnets.name: Badnets}
)
"""Attack recipes by name."""


def recipe(name: str) -> AttackRecipe[Any]:
    """The recipe of a name in :data:`RECIPES`.

    Raises:
        FuzzsmoothError: If there is none; the nearest is suggested.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(RECIPES)}"
        raise FuzzsmoothError(f"unknown attack recipe '{name}'; {hint}")
    return RECIPES[name]()


__all__ = [
    "RECIPES",
    "AttackRecipe",
    "AttackResult",
    "Badnets",
    "BadnetsOptions",
    "PairTrigger",
    "Ripple",
    "RippleOptions",
    "SentenceTrigger",
    "Trigger",
    "TriggeredText",
    "WordTrigger",
    "check_target",
    "load_attack",
    "load_trigger",
    "poison",
    "read_record",
    "recipe",
    "trigger_from_mapping",
]
