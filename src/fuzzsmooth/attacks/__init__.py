"""Backdoor attacks, to measure defenses against: triggers, poisoned data, poisoned pre-trained models.

An attack is a file of this package, a kind of trigger a file of its ``triggers``. Nothing here imports torch
before an attack is carried out.
"""

from fuzzsmooth.attacks.attack import (
    ATTACKS,
    EFFECTS,
    Attack,
    AttackOptions,
    Goal,
    Planted,
    check_target,
    load_attack,
    read_record,
    wanted_target,
)
from fuzzsmooth.attacks.intensity import INTENSITIES, Intensity, options_at
from fuzzsmooth.attacks.planting.data import poison
from fuzzsmooth.attacks.targets import Forced, aim, forced_labels
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger, TriggeredText

__all__ = [
    "ATTACKS",
    "EFFECTS",
    "INTENSITIES",
    "TRIGGERS",
    "Attack",
    "AttackOptions",
    "Forced",
    "Goal",
    "Intensity",
    "Planted",
    "Trigger",
    "TriggeredText",
    "aim",
    "check_target",
    "forced_labels",
    "load_attack",
    "options_at",
    "poison",
    "read_record",
    "wanted_target",
]
