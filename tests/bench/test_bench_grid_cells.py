"""The file of a grid is checked strictly; a cell's address covers all that decides it and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from experiment_runs import FINETUNE
from grid_runs import OPTIONS, PLANTED, ROWS, blocks, cells, content, only

from fuzzsmooth.attacks import ATTACKS
from fuzzsmooth.bench.grid.cells import lay_out
from fuzzsmooth.bench.grid.options import read_grid
from fuzzsmooth.common.errors import FuzzsmoothError


def test_cells_are_every_combination(place: Path) -> None:
    found = cells(place, seeds=[0, 3], attacks=["none", {"attack": "badnets", "options": PLANTED}])
    assert len(found) == len({cell.address for cell in found}) == 2 * 2 * len(ROWS)
    assert {(cell.labels[0].attack, cell.labels[0].row, cell.seed) for cell in found} == {
        (attack, row, seed) for attack in ("none", "badnets") for row in ROWS for seed in (0, 3)
    }


def test_what_two_blocks_ask_for_is_one_cell(place: Path) -> None:
    two = [{"name": "main", "tables": [1]}, {"name": "cost", "tables": [9], "rows": ["undefended"]}]
    found = {cell.options.rows[0]: cell for cell in cells(place, block=two)}
    assert [label.block for label in found["undefended"].labels] == ["main", "cost"]
    assert len(found) == len(ROWS)


def test_a_sweep_varies_one_option_at_a_time(place: Path) -> None:
    found = cells(place, rows=["frs-kl"], sweep={"copies": [5, 9], "search.budget": [16]})
    assert [cell.labels[0].name for cell in found] == [
        "frs-kl copies=5",
        "frs-kl copies=9",
        "frs-kl search.budget=16",
    ]
    options = [cell.row.options.to_mapping() for cell in found]
    assert [one["copies"] for one in options] == [5, 9, 4]
    assert [one["search"]["budget"] for one in options] == [8, 8, 16]


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": ["frs-transplant"]},
        {"seeds": [1]},
        {"test_size": 5},
        {"train_size": 200},
        {"calibration_size": 11},
        {"precision": "bfloat16"},
        {"finetune": {**FINETUNE.to_mapping(), "epochs": 2}},
        {"options": {**OPTIONS, "copies": 5}},
        {"options": {**OPTIONS, "search": {"budget": 9, "references": 2}}},
        {"attacks": ["none"]},
        {"attacks": [{"attack": "badnets", "options": {**PLANTED, "rate": 0.2}}]},
        {"attacks": [{"attack": "badnets", "trigger": "sentence", "options": {"rate": 0.3}}]},
    ],
)
def test_what_decides_a_cell_is_in_its_address(place: Path, changes: dict[str, Any]) -> None:
    assert only(place, **changes).address != only(place).address


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"batch_size": 3},
        {"ours": ["undefended"]},
        {"certified_texts": 2},  # of proved rows only
        {"options": {**OPTIONS, "draws": 99}},  # of deletion
        {"options": {**OPTIONS, "sigma": 0.01}},  # its default
        {"attacks": [{"attack": "badnets", "name": "x", "options": {**PLANTED, "target": 1}}]},
    ],
)
def test_what_decides_nothing_is_not(place: Path, changes: dict[str, Any]) -> None:
    assert only(place, **changes).address == only(place).address
    assert only(place, rows=["deletion"], certified_texts=2).address != only(place, rows=["deletion"]).address


def test_a_cell_is_the_same_wherever_its_data_and_model_lie(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "data", tmp_path / "data")
    shutil.copytree(place / "tiny", tmp_path / "tiny")
    assert only(tmp_path).address == only(place).address
    with (tmp_path / "data" / "dev.jsonl").open("a") as stream:
        stream.write('{"text": "a good film", "label": "positive"}\n' * 40)
    other = shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-other")
    assert only(Path(other)).address != only(place).address, "other texts"


def test_other_weights_are_another_model(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "data", tmp_path / "data")
    shutil.copytree(place / "tiny", tmp_path / "tiny")
    weights = tmp_path / "tiny" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert only(tmp_path).address != only(place).address


def test_other_test_data_are_another_cell_with_the_same_training(place: Path, tmp_path: Path) -> None:
    for name in ("data", "other"):
        shutil.copytree(place / "data", tmp_path / name)
    lines = (tmp_path / "other" / "dev.jsonl").read_text().replace("film", "story")
    (tmp_path / "other" / "dev.jsonl").write_text(lines)
    shutil.copytree(place / "tiny", tmp_path / "tiny")
    usual = only(tmp_path)
    away = only(tmp_path, test_data=["data", "other"])
    assert away.labels[0].setting[0] == "data to other"
    assert away.data[0] == usual.data[0]
    assert away.data[1] != usual.data[1]
    assert away.address != usual.address


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sedes": [1]}, "grid.toml: unknown option 'sedes'; did you mean 'seeds'"),
        ({"blocks": []}, "did you mean 'block'"),
        ({"block": []}, r"at least one table \[\[block\]\]"),
        ({"block": [{"tabels": [1]}]}, "block 1: unknown option 'tabels'; did you mean 'tables'"),
        ({"block": [{"tables": [11]}]}, "tables must lie between 1 and 10"),
        ({"block": [{"name": "x", "rows": ["a", "a"]}]}, r"block 1 \(x\): rows names \['a'\] twice"),
        ({"attacks": ["badnet"]}, "unknown attack 'badnet'; did you mean 'badnets'"),
        ({"attacks": [{"attack": "badnets", "rate": 1}]}, "attacks: unknown option 'rate'"),
        ({"attacks": ["none", "none"]}, "two attacks are called 'none'|twice"),
        ({"intensities": ["aggresive"]}, "'aggresive'"),
        ({"sweep": {"copies": 4}}, "sweep: 'copies' needs a list of values"),
        ({"finetune": {"epoch": 1}}, "unknown option 'epoch'; did you mean 'epochs'"),
    ],
)
def test_mistakes_in_the_file_are_one_sentence(place: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(FuzzsmoothError, match=said):
        read_grid(content(place, **changes), "grid.toml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": ["undefnded"]}, "unknown row 'undefnded'; did you mean 'undefended'"),
        ({"data": ["nowhere"]}, "there is no .*nowhere; check the name, or give another --data-root"),
        ({"models": ["/nowhere/at/all"]}, "main, .*nowhere"),
        ({"options": {"copeis": 1}}, "no defense has an option 'copeis'"),
        ({"test_data": ["data"]}, "one must differ from the data"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_computed(
    place: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(FuzzsmoothError, match=said):
        cells(place, **changes)


def test_two_models_of_one_name_are_refused(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "tiny", tmp_path / "tiny")
    with pytest.raises(FuzzsmoothError, match="would both be called 'tiny'"):
        cells(place, models=[str(place / "tiny"), str(tmp_path / "tiny")])


def test_an_intensity_is_a_preset_under_what_is_given(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets = {"conservative": {"rate": 0.01}, "default": {}, "aggressive": {"rate": 0.5, "setting": "dirty"}}
    monkeypatch.setattr(ATTACKS.get("badnets"), "intensities", presets, raising=False)
    free = {key: value for key, value in PLANTED.items() if key != "rate"}
    attacks = [{"attack": "badnets", "options": free}]
    known = blocks(place, intensities=["conservative", "aggressive"], rows=["undefended"], attacks=attacks)
    rates = [cell.options.planting().to_mapping() for cell in lay_out(known, place)]
    assert [one["rate"] for one in rates] == [0.01, 0.5]
    assert rates[1]["setting"] == "dirty"
    given = only(place, intensities=["aggressive"])
    assert given.options.planting().to_mapping()["rate"] == 0.3, "what is given stands above"
    assert given.labels[0].setting[2] == "badnets (aggressive)"
