"""Backdoor attacks, to measure defenses against: triggers, poisoned data, poisoned pre-trained models.

The recipes themselves, which need torch, are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.attacks.badnets import check_target, poison
from fuzzsmooth.attacks.badnets_options import BadnetsOptions
from fuzzsmooth.attacks.recipe import AttackRecipe, AttackResult, load_attack, load_trigger, read_record
from fuzzsmooth.attacks.registry import RECIPES, KnownRecipe, known_recipe, recipe
from fuzzsmooth.attacks.ripple_options import RippleOptions
from fuzzsmooth.attacks.trigger import (
    PairTrigger,
    SentenceTrigger,
    Trigger,
    TriggeredText,
    WordTrigger,
    trigger_from_mapping,
)
from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.attacks.badnets_recipe import Badnets
    from fuzzsmooth.attacks.ripple import Ripple

__all__ = [
    "RECIPES",
    "AttackRecipe",
    "AttackResult",
    "Badnets",
    "BadnetsOptions",
    "KnownRecipe",
    "PairTrigger",
    "Ripple",
    "RippleOptions",
    "SentenceTrigger",
    "Trigger",
    "TriggeredText",
    "WordTrigger",
    "check_target",
    "known_recipe",
    "load_attack",
    "load_trigger",
    "poison",
    "read_record",
    "recipe",
    "trigger_from_mapping",
]

__getattr__ = lazy_names(__name__, {"Badnets": "badnets_recipe", "Ripple": "ripple"})


def __dir__() -> list[str]:
    return sorted(__all__)
