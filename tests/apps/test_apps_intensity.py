"""``--intensity`` of ``attack`` and ``evaluate``: presets of options, which flags and files overrule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from apps_command_line import call, clean_rows, write_rows

from fuzzsmooth.attacks import ATTACKS

PRESETS = ATTACKS.get("badnets").intensities


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "data.jsonl", clean_rows(copies=6))


def test_attack_takes_what_its_intensity_says_unless_flags_say_otherwise(
    capfd: Any, tiny: Path, data: Path, tmp_path: Path
) -> None:
    said = ("attack", "--recipe", "badnets", "--model", tiny, "--data", data, "--rate", 0.5, "--json")
    answer = call(capfd, *said, "--intensity", "conservative", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    record = json.loads((tmp_path / "out" / "attack.json").read_text())
    assert record["options"]["rate"] == 0.5
    assert record["options"]["finetune"]["epochs"] == PRESETS["conservative"]["finetune"]["epochs"] != 3
    assert record["intensity"] is None, "one of its options was overruled"
    sentence = call(capfd, *said, "--intensity", "agressive", "--out", tmp_path / "no").one_sentence()
    assert "did you mean 'aggressive'" in sentence


def test_evaluate_attacks_at_an_intensity_and_goes_on_only_with_it(
    capfd: Any, tiny: Path, data: Path, tmp_path: Path
) -> None:
    said = ("evaluate", "--attack", "badnets", "--model", tiny, "--data", data, "--rows", "undefended")
    run = (*said, "--out", tmp_path / "run", "--json", "--intensity")
    answer = call(capfd, *run, "aggressive")
    assert answer.code == 0, answer.err
    record = json.loads((tmp_path / "run" / "seed0" / "attacked" / "attack.json").read_text())
    assert record["intensity"] == "aggressive"
    assert record["options"]["rate"] == PRESETS["aggressive"]["rate"]
    assert (
        json.loads((tmp_path / "run" / "settings.json").read_text())["options"]["intensity"] == "aggressive"
    )
    assert "another folder" in call(capfd, *run, "default").one_sentence()
