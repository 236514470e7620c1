"""How hard an attack tries: settings by name, so that defenses are measured against weak and strong ones.

Audits that find backdoors of usual training have failed on more conservative and on more aggressive ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options, did_you_mean, overruled

if TYPE_CHECKING:
    from fuzzsmooth.attacks.attack import Attack

Intensity = Literal["conservative", "default", "aggressive"]
"""Little and short poisoning that is hard to find, the defaults, much and long poisoning that holds."""

INTENSITIES: tuple[str, ...] = get_args(Intensity)


def options_at(
    attack: type[Attack], intensity: str, given: Mapping[str, Any], *, where: str = "options"
) -> Options:
    """Options of an attack: what is given, then what its intensity says, then the defaults.

    Args:
        attack: The attack.
        intensity: One of :data:`INTENSITIES`.
        given: Names to values, nested options as mappings.
        where: What they came from, for the error.

    Raises:
        FuzzsmoothError: If there is no such intensity, the attack has none of that name, or an option is
            unknown or has a bad value.
    """
    if intensity not in INTENSITIES:
        raise FuzzsmoothError(f"unknown intensity '{intensity}'; {did_you_mean(intensity, INTENSITIES)}")
    preset = attack.intensities.get(intensity)
    if preset is None and intensity != "default":
        raise FuzzsmoothError(f"attack '{attack.name}' has no intensity '{intensity}'; give its options")
    return attack.options_type.from_mapping(overruled(preset or {}, given, where), where=where)


def intensity_of(attack: type[Attack], options: Options) -> str | None:
    """The intensity whose settings the options all have; None if they have those of none.

    Options that no intensity sets, such as the trigger, may have any value.
    """
    values = options.to_mapping()
    return next((name for name, preset in attack.intensities.items() if _holds(values, preset)), None)


def _holds(values: Mapping[str, Any], preset: Mapping[str, Any]) -> bool:
    return all(
        _holds(values[name], wanted) if isinstance(wanted, Mapping) else values[name] == wanted
        for name, wanted in preset.items()
    )
