"""``bench run``, ``bench status``, ``bench table``: a grid from its file to its tables, and mistakes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, write_rows

GRID = """
data = ["words"]
models = ["{model}"]
certified_texts = 2
calibration_size = 2
finetune = {{ epochs = 1 }}
options = {{ draws = 20, copies = 2, alpha = 0.1, sigma = 0.0, max_length = 1 }}
attacks = [{{ attack = "badnets", options = {{ rate = 0.3, finetune = {{ epochs = 1 }} }} }}]

[[block]]
tables = [1, 2]
rows = ["undefended", "uniform"]
"""


@pytest.fixture
def grid(tiny: Path, tmp_path: Path) -> Path:
    data = tmp_path / "root" / "words"
    data.mkdir(parents=True)
    write_rows(data / "train.jsonl", clean_rows(4))
    write_rows(data / "dev.jsonl", clean_rows(1)[3:8])
    file = tmp_path / "grid.toml"
    file.write_text(GRID.replace(", max_length = 1", "").format(model=tiny))
    return file


def test_a_grid_from_its_file_to_its_tables(
    grid: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    flags = ("--data-root", tmp_path / "root", "--out", out)
    answer = call(capfd, "bench", "run", grid, *flags)
    # A random model may get no class right, so that the references of the smoothed row cannot be chosen.
    assert answer.code in (0, 2), answer.err
    (status,) = call(capfd, "bench", "status", out, "--json").lines
    assert status["whole"] + len(status["failed"]) == 2
    assert (answer.code == 2) == bool(status["failed"])
    assert (
        f"{status['whole']} of 2 cells measured, 0 running, 0 left" in call(capfd, "bench", "status", out).out
    )
    assert "| undefended |" in call(capfd, "bench", "table", out, "1").out
    rows = list(csv.DictReader(io.StringIO(call(capfd, "bench", "table", out, "1", "--format", "csv").out)))
    assert rows[0]["row"] == "undefended"
    assert int(rows[0]["ca_total"]) == 5
    written = call(capfd, "bench", "table", out, "--out", tmp_path / "tables").out
    assert "table-1.md" in written
    assert (tmp_path / "tables" / "table-1.md").read_text().startswith("### Table 1: ")
    again = call(capfd, "bench", "run", grid, *flags, "--quiet")
    assert again.code == answer.code
    listed = json.loads((out / "grid.json").read_text())["cells"]
    assert str(tmp_path) not in (out / "grid.json").read_text(), "places are private"
    assert [cell["row"] for cell in listed] == ["undefended", "uniform"]


def test_a_failed_cell_is_told_and_the_exit_code_is_2(
    grid: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    grid.write_text(grid.read_text().replace("rate = 0.3", "rate = 0.0001"))
    answer = call(capfd, "bench", "run", grid, "--data-root", tmp_path / "root", "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.err.count("chooses no text") == 2, "one note a cell"
    assert "0 of 2 cells measured, 0 running, 0 left, 2 failed" in answer.out
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("rows =", "row ="), "block 1: unknown option 'row'; did you mean 'rows'"),
        (('"uniform"', '"uniforn"'), "unknown row 'uniforn'; did you mean 'uniform'"),
        (('data = ["words"]', 'data = ["nowhere"]'), "there is no"),
        (("[[block]]", "[[blocks]]"), "unknown option 'blocks'; did you mean 'block'"),
        (("tables = [1, 2]", "tables = [1, 2"), "is not TOML"),
    ],
)
def test_mistakes_are_one_sentence_before_anything_is_done(
    grid: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], wrong: tuple[str, str], said: str
) -> None:
    grid.write_text(grid.read_text().replace(*wrong))
    answer = call(capfd, "bench", "run", grid, "--data-root", tmp_path / "root", "--out", tmp_path / "out")
    assert said in answer.one_sentence()
    assert not (tmp_path / "out").exists()


def test_the_data_root_may_be_in_the_environment(
    grid: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUZZSMOOTH_DATA", str(tmp_path / "elsewhere"))
    answer = call(capfd, "bench", "run", grid, "--out", tmp_path / "out")
    assert "elsewhere/words" in answer.one_sentence()


@pytest.mark.parametrize("command", [["status"], ["table"], ["table", "1"]])
def test_a_folder_without_a_grid_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str]
) -> None:
    name, *names = command
    assert "bench run" in call(capfd, "bench", name, tmp_path, *names).one_sentence()


def test_several_tables_are_not_one_csv(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from grid_folder import label, records, write_grid

    folder = write_grid(tmp_path, [(label("frs"), records("frs", [(0, 0, 0), (1, 1, None)]))])
    sentence = call(capfd, "bench", "table", folder, "--format", "csv").one_sentence()
    assert "these are several tables (1, 2-empirical, 9); name one, or give a folder (--out)" in sentence
    assert call(capfd, "bench", "table", folder, "9", "--format", "csv").out.startswith(
        "data,model,attack,row,"
    )
