"""The blocks of the tutorial and of how-tos run, in order, in one folder: on a tiny model, and as written."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from docs_pages import ROOT, Block, blocks, pages
from docs_sessions import play, play_here, session, shown, without_numbers

from fuzzsmooth.auditing import read_policy
from fuzzsmooth.models.tiny import build_tiny

TUTORIAL = ROOT / "docs" / "tutorial.md"
MANY_ROWS = ROOT / "docs" / "how-to" / "certify-many-rows.md"
EVERY = ("runnable", "module", "run")
TRIGGERS = ("cf", "tq", "mn", "bb", "mb")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that knows the words of the built-in reviews and the triggers of RIPPLe."""
    from fuzzsmooth.data import load_splits

    texts = [example.text for example in load_splits("builtin:reviews", seed=0).train]
    words = sorted({word for text in texts for word in text.split()} | set(TRIGGERS))
    return build_tiny("bert", tmp_path_factory.mktemp("tiny") / "model", vocabulary=words)


def documents() -> list[Path]:
    return [page for page in pages() if page.name == "README.md" or ROOT / "docs" in page.parents]


def test_the_tutorial_runs_on_a_tiny_model(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the Python of the README in the same folder, as it is about what the tutorial has made."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    small = ["--train-size", "60", "--test-size", "20", "--epochs", "1"]
    search = ["--reward", "transplant", "--budget", "8", "--search-references", "2", "--copies", "4"]
    more = {
        "attack": ["--model", str(tiny), "--train-size", "60", "--epochs", "1"],
        "finetune": [*small, "--references", "2"],
        "protect": [*small, *search, "--holdout", "12"],
        "certify": ["--no-fuzzing"],
    }
    printed, told = play_here(session(TUTORIAL), tmp_path, more), shown(session(TUTORIAL))
    # What prints is shown, and only that.
    assert [bool(one) for one in told] == [bool(one) for one in printed]
    assert (tmp_path / "runs" / "mine" / "protect.json").is_file()
    assert len((tmp_path / "answers.jsonl").read_text("utf-8").splitlines()) == 3
    (block,) = [one for one in blocks(ROOT / "README.md") if one.language == "python" and not one.mark]
    (statement,) = play_here([replace(block, mark="run")], tmp_path, {})
    assert "of up to" in statement or "as it stands" in statement


def test_many_rows_are_cut_certified_and_counted(tiny: Path, tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], ["a dull film"], ["a warm, moving film"], ["a film"]])
    steps = session(MANY_ROWS)
    assert "99_999" in steps[0].body
    two = replace(steps[0], body=steps[0].body.replace("99_999", "1"))
    play_here([two], tmp_path, {})
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["00000.csv", "00001.csv"]
    (tmp_path / "parts" / "00001.csv").unlink()  # a process more would show nothing new
    model = ["--model", str(tiny), "--defense", "windows", "--reach", "1", "--no-fuzzing"]
    play(steps[1:-1], tmp_path, {"certify": model})
    assert len((tmp_path / "answers" / "00000.jsonl").read_text("utf-8").splitlines()) == 2
    (counted,) = play_here(steps[-1:], tmp_path, {})
    assert "of 2 texts: no inserted word" in counted


@pytest.mark.slow
@pytest.mark.minilm
def test_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    steps = session(TUTORIAL)
    for told, printed in zip(shown(steps), play(steps, tmp_path), strict=True):
        assert told is None or without_numbers(told) == without_numbers(printed)


def test_every_python_block_is_run_by_some_test() -> None:
    found = [one for page in documents() for one in blocks(page) if one.language == "python"]
    left = [str(one) for one in found if one.mark.split(":")[0] not in EVERY and one.page != "README.md"]
    assert left == []
    assert len(found) >= 7


def test_files_that_pages_show_are_well_formed() -> None:
    read = {"toml": tomllib.loads, "yaml": yaml.safe_load}
    found = [one for page in documents() for one in blocks(page) if one.language in read]
    assert {one.language for one in found} == {"toml", "yaml"}
    for one in found:
        assert read[one.language](one.body)
    (policy,) = [one for one in found if one.mark == "file: audit-policy.toml"]
    assert read_policy(tomllib.loads(policy.body), "audit-policy.toml").exhaustive


def test_control_a_step_that_fails_is_told(tmp_path: Path) -> None:
    wrong = Block("page.md", 7, "sh", "run", "fuzzsmooth predict --model nowhere --text a\n")
    with pytest.raises(AssertionError, match=r"page.md:7 failed:[\s\S]*nowhere"):
        play([wrong], tmp_path)
    assert without_numbers("took 3.5 s,  12 of 20") == without_numbers("took 4 s, 1 of 2")
    assert without_numbers("took 3.5 s") != without_numbers("took 3.5 ms")
