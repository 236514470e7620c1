"""``benchmark-certificates``: a table, the same again for nothing, and mistakes in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, write_rows


@pytest.fixture
def arguments(tiny: Path, tmp_path: Path) -> list[object]:
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data" / "train.jsonl", clean_rows(3))
    write_rows(tmp_path / "data" / "dev.jsonl", clean_rows())
    config = tmp_path / "small.toml"
    config.write_text('held_out = 5\nprecision = "float32"\n', encoding="utf-8")
    flags = ["--data", tmp_path / "data", "--model", tiny, "--config", config, "--quiet"]
    return ["benchmark-certificates", *flags, "--epochs", 1, "--longest", 2, "--out", tmp_path / "out"]


def test_a_table_whose_rows_may_be_added(
    arguments: list[object], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = call(capfd, *arguments, "--rows", "windows-plain")
    assert answer.code == 0, answer.err
    assert "| `windows-plain` | 10 |" in answer.out
    assert (tmp_path / "out" / "certified-contiguous_insert.png").is_file()
    before = (tmp_path / "out" / "certified.jsonl").read_bytes()
    more = call(capfd, *arguments, "--rows", "windows-plain,rs-del:0.5", "--draws", 1000, "--json")
    assert more.code == 0, more.err
    summary = json.loads(more.out)
    assert [row["defense"] for row in summary["rows"]] == ["windows-plain", "rs-del:0.5"]
    assert str(tmp_path) not in more.out  # private paths stay private
    assert (tmp_path / "out" / "certified.jsonl").read_bytes().startswith(before)
    (tmp_path / "out" / "summary.json").unlink()
    again = call(capfd, "report", tmp_path / "out", "--json")  # from the records, without a model
    assert json.loads(again.out) == summary


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--rows", "magic"], "unknown row 'magic'"),
        (["--rows", "rs-del:2"], "strictly between 0 and 1"),
        (["--draws", 1], "draws must lie between 2 and"),
        (["--train-size", 8], "too few to hold out 5"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[object], flags: list[object], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert told in call(capfd, *arguments, *flags).one_sentence()


def test_the_rows_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    listed = call(capfd, "list", "certificates", "--json").lines[0]["certificates"]
    assert {"rs-del:RATE", "windows"} <= listed.keys()
