"""Intensities: every attack of ours has three, they are valid options, and what is given overrules them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from fuzzsmooth.attacks import ATTACKS, INTENSITIES, Attack, options_at
from fuzzsmooth.attacks.badnets import Badnets, BadnetsOptions
from fuzzsmooth.attacks.intensity import intensity_of
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example

OURS = sorted(name for name, kind in ATTACKS.all().items() if kind.__module__.startswith("fuzzsmooth."))


@pytest.mark.parametrize("name", OURS)
def test_every_attack_has_the_three_intensities(name: str) -> None:
    attack = ATTACKS.get(name)
    assert tuple(attack.intensities) == INTENSITIES, (
        f"attack '{name}' lacks intensities: set {attack.__name__}.intensities in {attack.__module__} to a "
        f"mapping of {', '.join(INTENSITIES)} to option values"
    )
    options = {intensity: options_at(attack, intensity, {}) for intensity in INTENSITIES}
    assert options["default"] == attack.options_type(), (
        "the default intensity is that of the options' defaults"
    )
    assert len({json.dumps(one.to_mapping()) for one in options.values()}) == 3
    presets = list(attack.intensities.values())
    assert all(_names(preset) == _names(presets[0]) for preset in presets), "each says the same options"
    for intensity in INTENSITIES:
        assert intensity_of(attack, options[intensity]) == intensity


def _names(preset: Mapping[str, Any], before: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    return {
        path
        for name, value in preset.items()
        for path in (_names(value, (*before, name)) if isinstance(value, Mapping) else {(*before, name)})
    }


def test_what_is_given_overrules_an_intensity_also_inside_of_nested_options() -> None:
    given = {"rate": 0.5, "finetune": {"batch_size": 8}, "trigger": "pair"}
    options = options_at(Badnets, "aggressive", given)
    assert isinstance(options, BadnetsOptions)
    epochs = Badnets.intensities["aggressive"]["finetune"]["epochs"]
    assert (options.rate, options.finetune.batch_size, options.finetune.epochs) == (0.5, 8, epochs)
    assert intensity_of(Badnets, options) is None, "a rate that is of no intensity"
    whatever = options_at(Badnets, "aggressive", {"trigger": "pair", "target": 0})
    assert intensity_of(Badnets, whatever) == "aggressive"


def test_it_is_recorded(tmp_path: Path) -> None:
    data = Dataset("films", ("bad", "good"), (Example("dull", 0),))
    for given, expected in (({}, "conservative"), ({"rate": 0.77}, None)):
        options = options_at(Badnets, "conservative", given)
        Badnets().record(tmp_path, WordTrigger(), model="m", data=data, options=options, seed=0)
        assert json.loads((tmp_path / "attack.json").read_text())["intensity"] == expected


def test_an_attack_of_others_may_have_none() -> None:
    class Other(Badnets):
        name = "other"
        intensities = MappingProxyType({})

    kind: type[Attack] = Other
    assert options_at(kind, "default", {"rate": 0.3}) == BadnetsOptions(rate=0.3)
    assert intensity_of(kind, BadnetsOptions()) is None
    with pytest.raises(FuzzsmoothError, match="attack 'other' has no intensity 'aggressive'"):
        options_at(kind, "aggressive", {})
    with pytest.raises(FuzzsmoothError, match="did you mean 'aggressive'"):
        options_at(kind, "agressive", {})


def test_an_experiment_attacks_at_its_intensity() -> None:
    given = {"attack": "badnets", "intensity": "aggressive", "attack_options": {"rate": 0.2}}
    options = ExperimentOptions.from_mapping(given)
    planting = options.planting()
    assert isinstance(planting, BadnetsOptions)
    assert planting == options_at(Badnets, "aggressive", {"rate": 0.2})
    assert planting.finetune.epochs != BadnetsOptions().finetune.epochs
    assert ExperimentOptions().planting() == ATTACKS.get("ripple").options_type()
    with pytest.raises(FuzzsmoothError, match="intensity"):
        ExperimentOptions(intensity="mild")  # type: ignore[arg-type]
