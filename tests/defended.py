"""Defenses by name for tests that try several: options that one of them lacks are left out."""

from __future__ import annotations

from typing import Any

from fuzzsmooth.common.options import Options, described
from fuzzsmooth.defenses import DEFENSES


def options_for(defense: str = "frs", **given: Any) -> Options:
    """Options of a defense."""
    kind = DEFENSES.get(defense)
    known = {option.name for option in described(kind.options_type)}
    elsewhere = {option.name for other in DEFENSES.all().values() for option in described(other.options_type)}
    unknown = set(given) - elsewhere
    assert not unknown, f"no defense has options {unknown}"
    return kind.options_type.from_mapping({name: value for name, value in given.items() if name in known})
