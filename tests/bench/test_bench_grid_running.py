"""A grid is measured once, by any number of processes, stopped and resumed; what fails fails alone."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest
from experiment_runs import Watching, settings, without_times
from grid_runs import ROWS, cells

from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.bench.grid import running, store
from fuzzsmooth.bench.grid.running import run_grid
from fuzzsmooth.bench.grid.status import read_status
from fuzzsmooth.bench.grid.store import CELL, cell_folder, read_cell
from fuzzsmooth.bench.grid.working import Worker
from fuzzsmooth.bench.records import RECORDS_FILE
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.locking import exclusive, is_locked
from fuzzsmooth.defenses import DEFENSES


@pytest.fixture(scope="session")
def grid(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished grid."""
    folder = tmp_path_factory.mktemp("grid") / "out"
    assert run_grid(cells(place), folder) == {}
    return folder


@pytest.fixture(scope="session")
def cut_short(grid: Path, place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same grid measured four texts at a time; with noise, rounding depends on where batches are cut."""
    folder = tmp_path_factory.mktemp("few") / "out"
    shutil.copytree(grid / "models", folder / "models")
    with pytest.MonkeyPatch.context() as patch:
        answer_few(patch)
        assert run_grid(cells(place), folder) == {}
    return folder


def answer_few(patch: pytest.MonkeyPatch) -> None:
    """Few texts at once, so that a kill comes in the middle of a cell."""
    for kind in DEFENSES.all().values():
        patch.setattr(kind, "together", lambda self, *, certify: 4)


@pytest.fixture
def copy(grid: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grid, tmp_path / "copy"))


def content(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The records of every cell, without their times."""
    return {path.name: without_times(path) for path in sorted((folder / "cells").iterdir()) if path.is_dir()}


def test_a_cell_is_a_row_of_the_experiment(grid: Path, place: Path, tmp_path: Path) -> None:
    (cell,) = cells(place, rows=["frs-kl"])
    alone = run_experiment(cell.options, tmp_path / "alone")
    assert content(grid)[cell.address] == without_times(alone)
    assert settings(place).model == cell.options.model


def test_models_are_shared(grid: Path) -> None:
    told = [json.loads(path.read_text()) for path in (grid / "models").glob("*.json")]
    kinds = sorted(one["what"] for one in told)
    # The plain victim, the one of frs, the one of deletion, of one attack; only frs and deletion search.
    assert kinds == ["attack", "model", "model", "model", "references", "references"]
    assert all(one["seconds"] >= 0 for one in told)


def test_a_whole_grid_is_not_measured_again(copy: Path, place: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.name != store.MANIFEST}
    watching = Watching()
    assert run_grid(cells(place), copy, stages=watching) == {}
    assert watching.opened == []
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path.is_file())


def test_rows_may_be_added_and_use_the_models(copy: Path, place: Path) -> None:
    before = content(copy)
    watching = Watching()
    run_grid(cells(place, rows=[*ROWS, "frs-oracle"]), copy, stages=watching)
    assert watching.opened == ["cell 4 of 4, seed 0: frs-oracle"], "its victim is that of frs"
    assert before.items() <= content(copy).items()
    assert read_status(copy).whole == len(ROWS) + 1


@pytest.mark.parametrize(
    ("stage", "at"),
    [
        ("attack (badnets)", 5),
        pytest.param("model (sigma=0.01)", 4, marks=pytest.mark.slow),
        pytest.param("frs-kl", 4, marks=pytest.mark.slow),
        pytest.param("deletion", 1, marks=pytest.mark.slow),
    ],
)
def test_a_killed_grid_goes_on_as_if_it_had_not_been(
    cut_short: Path, place: Path, tmp_path: Path, stage: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_few(monkeypatch)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_grid(cells(place), out, stages=Watching(stage, at))
    found = read_status(out)
    assert found.left >= 1
    assert found.running == 0, "locks go with who held them"
    assert run_grid(cells(place), out) == {}
    assert content(out) == content(cut_short)
    assert read_status(out).whole == len(ROWS)


def test_a_cell_that_another_version_has_begun_is_begun_anew(copy: Path, place: Path) -> None:
    (cell,) = cells(place, rows=["frs-kl"])
    folder = cell_folder(copy, cell.address)
    write_json(folder / CELL, {**read_cell(folder), "version": "0.0.1", "whole": False})
    lines = (folder / RECORDS_FILE).read_text().splitlines(keepends=True)
    wrong = lines[0].replace('"guarantee": "conditional"', '"guarantee": "empirical"')
    (folder / RECORDS_FILE).write_text(wrong)
    run_grid(cells(place), copy)
    assert '"empirical"' not in (folder / RECORDS_FILE).read_text()
    assert len((folder / RECORDS_FILE).read_text().splitlines()) == len(lines)


def test_a_cell_that_fails_does_not_stop_the_others(
    place: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, texts: object, *, certify: bool, advance: object = None) -> None:
        raise ValueError("nobody thought of this")

    heard: list[str] = []
    changed = cells(place, rows=[*ROWS, "windows", "uniform"], options={"copies": 4, "sigma": 0.0})
    with monkeypatch.context() as patch:
        patch.setattr(DEFENSES.get("windows"), "answer", broken)
        failed = run_grid(changed, copy, tell=heard.append)
    assert len(failed) == 1
    ((title, sentence),) = failed.items()
    assert "windows" in title
    assert sentence == "ValueError: nobody thought of this"
    assert heard == [f"{title}: {sentence}"]
    found = read_status(copy)
    assert (found.whole, found.failed, found.left) == (len(ROWS) + 1, failed, 0)
    assert run_grid(changed, copy) == {}, "a new run tries again"
    assert read_status(copy).failed == {}


def test_a_model_that_cannot_be_made_is_tried_once(place: Path, tmp_path: Path) -> None:
    attacks = [{"attack": "badnets", "options": {"rate": 1e-9}}]
    watching = Watching()
    failed = run_grid(cells(place, attacks=attacks), tmp_path / "out", stages=watching)
    assert len(failed) == len(ROWS)
    assert len(set(failed.values())) == 1
    assert "chooses no text" in next(iter(failed.values()))
    assert watching.opened == ["cell 1 of 3, seed 0: attack (badnets)"]


def test_what_another_process_has_is_left_to_it(place: Path, copy: Path) -> None:
    (cell,) = cells(place, rows=["frs-kl"])
    folder = cell_folder(copy, cell.address)
    write_json(folder / CELL, {**read_cell(folder), "whole": False})
    with exclusive(folder):
        assert is_locked(folder)
        assert Worker(copy).attempt(cell) == "busy"
        assert read_status(copy).running == 1
    assert not is_locked(folder)
    assert Worker(copy).attempt(cell) == "whole"


def test_a_model_that_another_process_makes_is_waited_for(place: Path, tmp_path: Path) -> None:
    first = cells(place, rows=["undefended"])[0]
    out = tmp_path / "out"
    run_grid([first], out)
    folder = next(path for path in (out / "models").iterdir() if (path / "attack.json").is_file())
    shutil.move(folder, tmp_path / "attack")
    shutil.rmtree(out / "cells")
    with exclusive(folder.with_name(f"{folder.name}.making")):
        assert Worker(out).attempt(first) == "busy"
        shutil.move(tmp_path / "attack", folder)
        assert Worker(out).attempt(first) == "whole", "what is there is not locked"


def test_two_workers_measure_each_cell_once(place: Path, grid: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(grid / "models", out / "models")
    failed = run_grid(cells(place), out, workers=2)
    assert failed == {}
    assert content(out) == content(grid)
    for folder in (out / "cells").iterdir():
        if folder.is_dir():
            keys = [json.loads(line)["key"] for line in (folder / RECORDS_FILE).read_text().splitlines()]
            assert len(keys) == len(set(keys)) == read_cell(folder)["texts"]


def test_a_folder_of_something_else_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FuzzsmoothError, match="is not empty and holds no grid"):
        run_grid(cells(place), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_workers_begin_at_different_places(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    class Process:
        def __init__(self, *, target: object, args: tuple[Any, ...], name: str) -> None:
            started.append([cell.address for cell in args[1][0]])

        def start(self) -> None: ...

    context = type("Context", (), {"Process": Process})
    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: context)
    grid = cells(place)
    running._started(grid, Path("out"), 3)
    assert [order[0] for order in started] == [cell.address for cell in grid]
    assert all(sorted(order) == sorted(cell.address for cell in grid) for order in started)


class FakeProcess:
    """A worker that has been started; it ends when it is told to."""

    def __init__(self, exitcode: int | None = None) -> None:
        self.exitcode = exitcode
        self.told: list[str] = []

    def is_alive(self) -> bool:
        return self.exitcode is None

    def terminate(self) -> None:
        self.told.append("terminate")

    def join(self, timeout: float | None = None) -> None:
        self.told.append("join")

    def kill(self) -> None:
        self.told.append("kill")
        self.exitcode = -9


def test_ctrl_c_ends_the_workers(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = [FakeProcess(), FakeProcess(0)]

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "_started", lambda cells, folder, count: workers)
    monkeypatch.setattr(running.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_grid(cells(place), tmp_path / "out", workers=2)
    assert workers[0].told == ["terminate", "join", "kill", "join"]
    assert workers[1].told == ["terminate", "join"]


def test_a_worker_that_dies_is_told(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    workers = [FakeProcess(-9), FakeProcess(0)]
    monkeypatch.setattr(running, "_started", lambda cells, folder, count: workers)
    run_grid(cells(place), tmp_path / "out", workers=2, tell=heard.append)
    assert len(heard) == 1
    assert "a worker ended with code -9" in heard[0]
    assert read_status(tmp_path / "out").left == len(ROWS)


def test_the_time_left_is_that_of_the_same_rows(copy: Path, place: Path) -> None:
    two = cells(place, seeds=[0, 1])
    for cell in two:
        folder = cell_folder(copy, cell.address)
        if folder.is_dir():
            write_json(
                folder / CELL, {**read_cell(folder), "seconds": 10.0 * (1 + ROWS.index(cell.options.rows[0]))}
            )
    entries = [store.Entry(cell.address, label) for cell in two for label in cell.labels]
    store.write_manifest(copy, entries)
    found = read_status(copy)
    assert (found.whole, found.left) == (len(ROWS), len(ROWS))
    assert found.seconds_left == pytest.approx(10 + 20 + 30)


def test_ray_is_asked_for_by_name_where_it_is_missing(place: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is not None:
        pytest.skip("ray is installed")
    with pytest.raises(MissingExtraError, match=r"--engine ray needs ray; .*fuzzsmooth\[ray\]"):
        run_grid(cells(place), tmp_path / "out", engine="ray")


def test_ray_measures_the_same(place: Path, grid: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the optional extra ray is not installed")
    out = tmp_path / "out"
    assert run_grid(cells(place), out, engine="ray") == {}
    assert content(out) == content(grid)
