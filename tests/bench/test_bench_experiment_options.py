"""The options of an experiment: checked, told apart, and what they make of victims and rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from experiment_runs import settings

from defended import options_for
from fuzzsmooth.bench.experiment import ExperimentOptions, run_experiment
from fuzzsmooth.bench.measure import chunk_size
from fuzzsmooth.bench.rows import choose, defenses
from fuzzsmooth.bench.victims import victim_options
from fuzzsmooth.common.errors import FuzzsmoothError


def test_what_is_answered_together_takes_some_seconds() -> None:
    certified = options_for(defense="deletion", sigma=0.0, draws=1000)
    assert chunk_size(certified) == 2
    assert chunk_size(certified.replace(draws=10_000)) == 1
    assert chunk_size(certified.replace(draws=10)) == 64
    assert chunk_size(certified.replace(fuzz_left="search")) == 1
    assert chunk_size(options_for(defense="frs")) == 16
    assert chunk_size(None) == 64


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": ("undefended", "frs-magic")}, "unknown row 'frs-magic'; known: undefended, frs-kl"),
        ({"rows": ("budget-7",)}, "unknown row 'budget-7'"),
        ({"rows": ()}, "rows must name at least one row"),
        ({"seeds": ()}, "seeds must name at least one seed"),
        ({"seeds": (-1,)}, "seeds must lie between 0 and"),
        ({"certified_texts": 0}, "certified_texts must lie between 1 and"),
        ({"batch_size": 0}, "batch_size must lie between 1 and 65,536"),
        ({"precision": "half"}, "'half' is not one of"),
    ],
)
def test_options_are_checked(place: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        settings(place, **wrong)


def test_unknown_recipes_and_attack_options_are_told(place: Path, tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="magic"):
        run_experiment(settings(place, recipe="magic"), tmp_path / "a")
    with pytest.raises(
        FuzzsmoothError, match=r"attack 'badnets': unknown option 'word'; did you mean 'words'"
    ):
        run_experiment(settings(place, attack={"word": ["cf"]}), tmp_path / "b")


def test_options_round_trip(place: Path) -> None:
    options = settings(place, budgets=(4, 9), rows=("budget-9",))
    again = ExperimentOptions.from_mapping(json.loads(json.dumps(options.to_mapping())))
    assert again == options


def test_victims_are_trained_as_their_defense_wants(place: Path) -> None:
    options = settings(place, smoothing=options_for(sigma=0.02, top_layers=1, rate=0.8))
    plain, noisy, deletion = (victim_options(kind, options, 5) for kind in ("plain", "noisy", "deletion"))
    assert {victim.seed for victim in (plain, noisy, deletion)} == {5}
    assert (plain.sigma, plain.text_noise) == (0.0, "none")
    assert (noisy.sigma, noisy.top_layers, noisy.text_noise) == (0.02, 1, "none")
    assert (deletion.text_noise, deletion.text_rate) == ("delete", 0.8)


def test_every_row_has_a_defense_of_its_own() -> None:
    rows = defenses(options_for(), (8, 64))
    assert rows["undefended"].options is None
    assert rows["budget-8"].options is not None
    assert rows["budget-8"].options.search.budget == 8
    assert rows["frs-kl"].options is not None
    assert rows["frs-kl"].options.search.reward == "kl"
    assert rows["noise-inference-only"].victim == "plain"
    own = {name: defense for name, defense in rows.items() if not name.startswith("budget")}
    distinct = {json.dumps([row.victim, row.options and row.options.to_mapping()]) for row in own.values()}
    assert len(distinct) == len(own)
    assert list(choose(rows, ("certified", "undefended"))) == ["certified", "undefended"]
