"""The options of an experiment: checked, told apart, and what they make of victims and rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from experiment_runs import settings

from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.rows import bench_row, row_names
from fuzzsmooth.bench.victims import victim_name
from fuzzsmooth.common.errors import FuzzsmoothError


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": ("undefended", "magic")}, "unknown row 'magic'; known: badacts, bki, budget-128"),
        ({"rows": ("budget-many",)}, "unknown row 'budget-many'"),
        ({"options": {"rates": 0.5}}, "no defense has an option 'rates'; did you mean 'rate'"),
        ({"options": {"rate": 1.5}}, "DeletionOptions.rate must lie strictly between 0 and 1"),
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
        run_experiment(settings(place, attack="magic"), tmp_path / "a")
    with pytest.raises(
        FuzzsmoothError, match=r"attack 'badnets': unknown option 'ratio'; did you mean 'rate'"
    ):
        run_experiment(settings(place, attack_options={"ratio": 0.3}), tmp_path / "b")
    with pytest.raises(FuzzsmoothError, match=r"unknown option 'word'; did you mean 'words'"):
        settings(place, attack_options={"trigger_options": {"word": ["cf"]}})


def test_options_round_trip(place: Path) -> None:
    options = settings(place, rows=("budget-9",))
    again = ExperimentOptions.from_mapping(json.loads(json.dumps(options.to_mapping())))
    assert again == options


def test_victims_are_trained_as_their_defense_wants() -> None:
    shared = {"sigma": 0.02, "top_layers": 1, "rate": 0.8}
    victims = {name: dict(bench_row(name, shared).victim) for name in row_names()}
    assert victims["undefended"] == victims["windows"] == victims["noise-inference-only"] == {}
    assert victims["frs-kl"] == victims["frs"] == {"sigma": 0.02, "top_layers": 1}
    assert victims["noise-finetuning-only"] == {"sigma": 0.02}
    assert victims["deletion"] == victims["rs_del"] == {"text_noise": "delete", "text_rate": 0.8}
    assert victims["ranmask"] == {"text_noise": "mask", "text_rate": 0.8}
    assert victim_name({}) == "plain"
    assert victim_name({"sigma": 0.02, "top_layers": None}) == "sigma=0.02"


def test_every_row_is_a_defense_of_its_own() -> None:
    rows = {name: bench_row(name, {}, seed=3) for name in [*row_names(), "budget-7"]}
    assert rows["budget-7"].options.to_mapping()["search"]["budget"] == 7
    assert rows["frs-kl"].options.to_mapping()["search"]["reward"] == "kl"
    assert {row.options.to_mapping().get("seed", 3) for row in rows.values()} == {3}
    same = {"frs": "frs-transplant"}  # the variant pins what is the default
    own = {name: row for name, row in rows.items() if name not in same and name != "budget-128"}
    distinct = {
        json.dumps([row.defense.name, dict(row.victim), row.options.to_mapping()]) for row in own.values()
    }
    assert len(distinct) == len(own)


def test_options_of_an_experiment_reach_the_rows_that_have_them() -> None:
    shared = {"draws": 77, "search": {"budget": 9, "reward": "kl"}}
    assert bench_row("deletion", shared).options.to_mapping()["draws"] == 77
    search = bench_row("frs-transplant", shared).options.to_mapping()["search"]
    assert (search["budget"], search["reward"]) == (9, "transplant")
    assert "draws" not in bench_row("windows", shared).options.to_mapping()
