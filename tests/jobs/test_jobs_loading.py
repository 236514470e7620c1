"""Which defense and which options a model is loaded with."""

from __future__ import annotations

from pathlib import Path

import pytest

import fuzzsmooth
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.jobs.estimate import estimate_certify
from fuzzsmooth.jobs.loading import Asked, Loading, choose_defense, load_defended


@pytest.fixture(scope="module")
def saved(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with defense deletion at another rate."""
    out = tmp_path_factory.mktemp("saved") / "model"
    options = {"rate": 0.5, "fuzzing": False, "search": {"budget": 7}, "draws": 30}
    fuzzsmooth.protect(tiny, "deletion", **options).save_pretrained(out)
    return str(out)


def test_the_saved_defense_is_used_and_flags_overrule_its_options(saved):
    choice = choose_defense(saved, None)
    options = choice.options({"draws": 5, "search": {"area": 3}})
    assert choice.kind is DEFENSES.get("deletion")
    assert (options.rate, options.draws) == (0.5, 5)
    assert (options.search.budget, options.search.area) == (7, 3), "nested options one by one"


def test_a_named_defense_is_used_instead(saved, tiny):
    assert choose_defense(saved, "windows").options({}).reach == 3
    assert choose_defense(str(tiny), None).kind.name == "frs"
    # One that the folder was saved with has its options, as in Python.
    named = choose_defense(saved, "deletion").options({"draws": 5, "search": {"area": 3}})
    assert named == fuzzsmooth.protect(saved, "deletion", draws=5, search={"area": 3}).options
    assert (named.rate, named.draws, named.search.budget) == (0.5, 5, 7)


def test_flip_rates_are_for_a_defense_that_has_rates_of_types(tiny, tmp_path):
    kind = DEFENSES.get("windows")
    asked = Asked(str(tiny), kind, kind.options_type.from_mapping({}), Loading(), table=tmp_path / "t.json")
    with pytest.raises(FuzzsmoothError, match="defense 'windows' has no rates"):
        load_defended(asked)


@pytest.mark.parametrize("name", ["frs", "deletion", "windows", "rs_del", "ranmask", "undefended"])
def test_every_defense_can_be_loaded_settled_and_estimated(tiny, name):
    kind = DEFENSES.get(name)
    wanted = {"fuzzing": False, "draws": 10, "copies": 5}
    known = set(kind.options_type().to_mapping())
    options = kind.options_type.from_mapping({key: wanted[key] for key in wanted if key in known})
    defended = load_defended(Asked(str(tiny), kind, options, Loading()))
    assert defended.settings["defense"] == name
    assert defended.settings["model"] == defended.model.fingerprint
    found = estimate_certify(defended, ["a good film", "a bad film", "awful food"])
    assert found.texts == 3
    assert found.passes > 0
