"""``fuzzsmooth protect``, and the folder it writes in every other command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, write_rows

FAST = ("--epochs", 10, "--learning-rate", 5e-3, "--budget", 8, "--search-references", 2, "--copies", 4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "clean.jsonl", clean_rows(8))


@pytest.fixture(scope="module")
def protected(tiny: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from fuzzsmooth.apps.cli.main import main

    out = tmp_path_factory.mktemp("out") / "mine"
    arguments = ["protect", tiny, "--data", data, "--out", out, *FAST, "--quiet"]
    assert main(list(map(str, arguments))) == 0
    return out


def test_it_tells_what_it_measured(capfd, tiny, data, tmp_path):
    out = tmp_path / "mine"
    command = ("protect", tiny, "--data", data, "--out", out, *FAST, "--holdout", 0.25)
    shown = call(capfd, *command)
    assert shown.code == 0, shown.err
    assert "clean accuracy, defended" in shown.out
    assert "of 20)" in shown.out
    assert f"fuzzsmooth certify --model {out}" in shown.out
    (report,) = call(capfd, *command, "--json").lines
    assert report == json.loads((out / "protect.json").read_text("utf-8"))
    assert report["data"]["held_out"] == 20


@pytest.mark.parametrize("command", ["predict", "certify", "scan"])
def test_every_command_takes_the_folder_as_it_is(capfd, protected, command, state):
    answer = call(capfd, command, "--model", protected, "--text", "a good film", "--json")
    assert answer.code == 0, answer.err
    record = answer.lines[0]
    if command == "predict":
        assert sum(record["votes"]) == 4
    if command == "certify":
        assert record["certificates"][0]["threat"] == "trigger"
    more = call(capfd, command, "--model", protected, "--text", "a good film", "--json", "--copies", 7)
    assert more.code == 0
    if command == "predict":
        assert sum(more.lines[0]["votes"]) in range(2, 8)
        other = call(
            capfd,
            *("predict", "--model", protected, "--text", "a good film", "--json"),
            *("--defense", "windows", "--no-fuzzing"),
        )
        assert other.lines[0]["statistics"] == "ablation"


def test_its_own_references_are_not_remarked_on(capfd, tiny, data, tmp_path):
    out = tmp_path / "mine"
    assert call(capfd, "protect", tiny, "--data", data, "--out", out, *FAST).code == 0
    answer = call(capfd, "predict", "--model", out, "--text", "a film")
    assert (answer.code, answer.err) == (0, "")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--data", "nope.csv"), "nope.csv"),
        (("--holdout", 80), "leaves none of the 80 texts"),
        (("--holdout", -1), "holdout must be above 0"),
        (("--defense", "deletion", "--rate-high", 0.5), "has no --rate-high, which is for frs"),
        (("--defense", "magic"), "unknown defense 'magic'"),
        (("--epochs", 0), "epochs must lie between 1"),
        (("--no-finetune", "--device", "abacus"), "abacus"),
        (("--text-column", "words"), "'words'"),
    ],
)
def test_mistakes_are_one_sentence(capfd, tiny, data, tmp_path, flags, said):
    command = ("protect", tiny, "--data", data, "--out", tmp_path / "out", *flags)
    assert said in call(capfd, *command, "--quiet").one_sentence()
    assert not (tmp_path / "out").exists()


def test_one_writer_at_a_time(capfd, tiny, data, tmp_path):
    from test_apps_outputs import held

    with held(tmp_path / "out"):
        told = call(capfd, "protect", tiny, "--data", data, "--out", tmp_path / "out", "-q").one_sentence()
    assert "is being written by another process" in told


@pytest.mark.slow
def test_killed_again_and_again_the_folder_is_that_of_an_undisturbed_run(tiny, data, protected, tmp_path):
    """Kills of the process itself, at whatever it is doing then."""
    out = tmp_path / "mine"
    command = [sys.executable, "-m", "fuzzsmooth", "protect", tiny, "--data", data, "--out", out, *FAST, "-q"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    parts = tmp_path / "mine.protecting"
    marks = [parts / "settings.json", tmp_path / "mine.protecting" / "model", parts / "undefended.jsonl"]
    kills = 0
    for mark in marks:
        with subprocess.Popen(list(map(str, command)), env=environment) as process:
            while process.poll() is None and not mark.exists():
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
        assert kills == 0 or not out.exists() or (out / "protect.json").is_file()
    assert kills >= 2
    subprocess.run(list(map(str, command)), env=environment, check=True, stdout=subprocess.DEVNULL)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "state") == ["mine"]
    for file in protected.iterdir():
        if file.name != "protect.json":
            assert (out / file.name).read_bytes() == file.read_bytes(), file.name
