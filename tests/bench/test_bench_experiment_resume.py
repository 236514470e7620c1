"""An experiment goes on where it was stopped, never computes twice, and never mixes two runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from experiment_runs import FINETUNE, ROWS, Watching, settings, without_times

from fuzzsmooth.bench import experiment
from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.bench.measure import text_record
from fuzzsmooth.bench.records import RECORDS_FILE, SETTINGS_FILE, RunSettings, read_records
from fuzzsmooth.bench.stages import Counts
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.report import build_report


def test_a_finished_run_computes_nothing_again(folder: Path, place: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != SETTINGS_FILE}
    watching = Watching()
    run_experiment(settings(place), folder, stages=watching)
    assert watching.opened == []
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != SETTINGS_FILE}
    assert {path for path in after if path.is_file() and before[path] != after[path]} == set()


def test_rows_may_be_added_later(folder: Path, place: Path) -> None:
    before = (folder / RECORDS_FILE).read_bytes()
    watching = Watching()
    run_experiment(settings(place, rows=(*ROWS, "uniform", "budget-8")), folder, stages=watching)
    assert watching.opened == ["seed 0: uniform", "seed 0: budget-8"], "no training"
    content = (folder / RECORDS_FILE).read_bytes()
    assert content.startswith(before)
    added = [r for r in read_records(folder / RECORDS_FILE) if r.defense == "uniform"]
    assert {record.guarantee for record in added} == {"conditional"}, "noise has shared batches"
    assert build_report(folder).is_file()


@pytest.mark.parametrize(
    ("stage", "at"),
    [
        ("frs-transplant", 8),
        pytest.param("attack (badnets)", 5, marks=pytest.mark.slow),
        pytest.param("model (sigma=0.01)", 5, marks=pytest.mark.slow),
        pytest.param("deletion", 1, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_goes_on_without_loss_or_duplicates(
    finished: Path, place: Path, tmp_path: Path, stage: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_few(monkeypatch)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(settings(place), out, stages=Watching(stage, at))
    kept = len(read_records(out / RECORDS_FILE)) if (out / RECORDS_FILE).exists() else 0
    if kept:
        assert RunSettings.read(out / SETTINGS_FILE).mapping["unfinished"] is True
        assert "was stopped before all" in build_report(out).read_text("utf-8")
    resumed = Watching()
    run_experiment(settings(place), out, stages=resumed)
    assert without_times(out) == without_times(finished), "as if it had never been killed"
    assert "unfinished" not in RunSettings.read(out / SETTINGS_FILE).mapping
    assert "was stopped before all" not in build_report(out).read_text("utf-8")
    measured = sum(resumed.totals.get(f"seed 0: {row}", 0) for row in ROWS)
    assert measured == len(without_times(finished)) - kept, "what was recorded is not measured again"
    titles = resumed.opened
    assert ("seed 0: attack (badnets)" in titles) == stage.startswith("attack")
    assert ("seed 0: model (sigma=0.01)" in titles) == (stage.startswith(("attack", "model")))
    assert len(titles) == len(set(titles))


def test_a_run_killed_oftener_than_a_row_lasts_comes_to_its_end(
    finished: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt dies after eight texts, in the middle of a row and while the last are being written."""
    answer_few(monkeypatch)
    answered, out = 0, tmp_path / "out"

    def record_some(*arguments: Any) -> Any:
        nonlocal answered
        answered += 1
        if answered > 8:
            raise KeyboardInterrupt
        return text_record(*arguments)

    monkeypatch.setattr(experiment, "text_record", record_some)
    options = settings(place, victims=str(victims_of(finished, tmp_path)))
    attempts = 0
    while attempts < 20:
        attempts, answered = attempts + 1, 0
        try:
            run_experiment(options, out)
        except KeyboardInterrupt:
            records = out / RECORDS_FILE
            os.truncate(records, records.stat().st_size - 9)
            continue
        break
    assert len(ROWS) < attempts < 20
    assert without_times(out) == without_times(finished)


def answer_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few texts at once, so that a kill comes in the middle of a row."""
    for kind in DEFENSES.all().values():
        monkeypatch.setattr(kind, "together", lambda self, *, certify: 4)


def victims_of(finished: Path, tmp_path: Path) -> Path:
    """The victims of the finished run as a folder that may be shared."""
    victims = tmp_path / "victims"
    if not victims.exists():
        shutil.copytree(finished / "seed0", victims / "seed0")
        marked = json.loads((finished / "experiment.json").read_text())
        options = marked["options"]
        names = ("model", "attack", "attack_options", "finetune", "train_sha256")
        kept = {name: options[name] for name in names}
        write_json(victims / "experiment.json", {**marked, "options": kept})
    return victims


def test_a_second_process_is_refused(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    holder = "import sys; from pathlib import Path; from fuzzsmooth.common.locking import exclusive\n"
    holder += "with exclusive(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(FuzzsmoothError, match="out is being written by another process"):
            run_experiment(settings(place), out)
        assert not out.exists()
        process.communicate()


def test_a_victim_too_weak_for_references_leaves_what_was_measured(place: Path, tmp_path: Path) -> None:
    weak = settings(place, finetune=FINETUNE.replace(learning_rate=1e-9), test_size=6)
    weak = weak.replace(
        attack_options={**weak.attack_options, "finetune": FINETUNE.replace(learning_rate=1e-9).to_mapping()}
    )
    with pytest.raises(FuzzsmoothError, match="no clean text of class"):
        run_experiment(weak, tmp_path / "out")
    page = build_report(tmp_path / "out").read_text("utf-8")
    assert "was stopped before all" in page
    assert {record.defense for record in read_records(tmp_path / "out" / RECORDS_FILE)} == {"undefended"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"attack_options": {"trigger": "word"}, "attack": "ripple"}, "unknown option 'trigger'"),
        ({"attack_options": {"rate": 3.0}}, "rate must be"),
        ({"attack_options": {"target": 7}}, "target label 7 is no class"),
        ({"attack_options": {"rate": 1e-9}}, "rate"),
        ({"model": "/nowhere"}, "nowhere"),
    ],
)
def test_a_command_that_failed_at_once_can_be_corrected(
    place: Path, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(FuzzsmoothError, match=said):
        run_experiment(settings(place, rows=("undefended",), **wrong), out)

    class BegunError(Exception):
        pass

    @contextmanager
    def begin(title: str) -> Iterator[Counts]:
        raise BegunError
        yield

    with pytest.raises(BegunError):
        run_experiment(settings(place, rows=("undefended",)), out, stages=begin)


def test_another_seed_adds_a_whole_run(folder: Path, place: Path) -> None:
    run_experiment(settings(place, rows=("undefended",), seeds=(0, 1)), folder)
    records = [record for record in read_records(folder / RECORDS_FILE) if record.defense == "undefended"]
    assert {record.seed for record in records} == {0, 1}
    assert (folder / "seed1" / "attacked" / "attack.json").is_file()


@pytest.mark.parametrize(
    "change",
    [
        {"test_size": 9},
        {"options": {"copies": 7}},
        {"finetune": FINETUNE.replace(epochs=2)},
        {"certified_texts": 5},
    ],
)
def test_other_settings_are_refused(folder: Path, place: Path, change: dict[str, Any]) -> None:
    with pytest.raises(
        FuzzsmoothError, match="holds a run with other settings or data; choose another folder"
    ):
        run_experiment(settings(place, **change), folder)


def test_runs_may_share_their_victims(finished: Path, place: Path, tmp_path: Path) -> None:
    victims = tmp_path / "victims"
    first = settings(place, rows=("undefended",), victims=str(victims))
    run_experiment(first, tmp_path / "first")
    watching = Watching()
    second = first.replace(certified_texts=2, test_size=8)
    run_experiment(second, tmp_path / "second", stages=watching)
    assert watching.opened == ["seed 0: undefended"], "nothing is trained twice"
    told = (tmp_path / "second" / SETTINGS_FILE).read_text("utf-8")
    assert str(tmp_path) not in told
    expected = [row for row in without_times(finished) if row["defense"] == "undefended"]
    assert without_times(tmp_path / "first") == expected, "as if they were the run's own"
    for change in ({"finetune": FINETUNE.replace(epochs=2)}, {"attack": "ripple", "attack_options": {}}):
        with pytest.raises(FuzzsmoothError, match="victims holds a run with other settings or data"):
            run_experiment(settings(place, victims=str(victims), **change), tmp_path / "third")
        shutil.rmtree(tmp_path / "third")


def test_a_folder_of_something_else_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FuzzsmoothError, match="is not empty and holds no run"):
        run_experiment(settings(place), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_changed_data_are_refused(folder: Path, place: Path) -> None:
    """Records of one data set never go into the report of another, even where the path is the same."""
    train = place / "data" / "train.jsonl"
    rows = train.read_text("utf-8")
    try:
        train.write_text(rows.replace("good", "fine"), "utf-8")
        with pytest.raises(FuzzsmoothError, match="other settings or data"):
            run_experiment(settings(place), folder)
    finally:
        train.write_text(rows, "utf-8")
