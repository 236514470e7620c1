"""One experiment per folder: what may change, what may not, and what an upgrade may add."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fuzzsmooth.bench.marking import MARKER, claim
from fuzzsmooth.common.errors import FuzzsmoothError

FACTS: dict[str, Any] = {"rows": ["a"], "size": 3, "train": {"epochs": 2, "sizes": (1, 2)}, "sha": "x"}
DEFAULTS: dict[str, Any] = {"rows": [], "size": 1, "train": {"epochs": 1, "sizes": ()}}


def begin(out: Path) -> None:
    """Leave something of the experiment."""
    (out / "seed0").mkdir()
    (out / "seed0" / "record").write_text("")


def test_the_same_experiment_may_go_on_with_more_rows(tmp_path: Path) -> None:
    claim(tmp_path, FACTS, DEFAULTS)
    before = (tmp_path / MARKER).read_bytes()
    claim(tmp_path, FACTS | {"rows": ["a", "b"]}, DEFAULTS)
    assert (tmp_path / MARKER).read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [{"size": 4}, {"sha": "y"}, {"train": {"epochs": 3, "sizes": (1, 2)}}, {"train": {"epochs": 2}}],
)
def test_another_one_may_not(tmp_path: Path, change: dict[str, Any]) -> None:
    claim(tmp_path, FACTS, DEFAULTS)
    begin(tmp_path)
    with pytest.raises(FuzzsmoothError, match="holds a run with other settings or data"):
        claim(tmp_path, FACTS | change, DEFAULTS)


def test_options_that_are_new_must_be_at_their_default(tmp_path: Path) -> None:
    claim(tmp_path, FACTS, DEFAULTS)
    begin(tmp_path)
    defaults = DEFAULTS | {"copies": 1, "train": {**DEFAULTS["train"], "noise": {"kind": "none"}}}
    train = FACTS["train"]
    as_before = {"copies": 1, "train": {**train, "noise": {"kind": "none"}}}
    claim(tmp_path, FACTS | as_before, defaults)
    for change in ({"copies": 2}, {"train": {**train, "noise": {"kind": "deletion"}}}, {"unknown": 0}):
        with pytest.raises(FuzzsmoothError, match="other settings"):
            claim(tmp_path, FACTS | as_before | change, defaults)


def test_options_that_are_gone_must_have_meant_what_is_done_now(tmp_path: Path) -> None:
    for number, (train, fits) in enumerate(
        [
            ({"objective": "each", "consistency": 0.0, "label": ""}, True),
            ({"objective": "mean", "consistency": 0.0}, False),
            ({"objective": "each", "other": 0}, False),
        ]
    ):
        out = tmp_path / str(number)
        claim(out, FACTS | {"train": {**FACTS["train"], **train}}, DEFAULTS)
        begin(out)
        if fits:
            claim(out, FACTS, DEFAULTS)
            continue
        with pytest.raises(FuzzsmoothError, match="other settings"):
            claim(out, FACTS, DEFAULTS)


def test_other_folders_and_damaged_marks_are_told(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FuzzsmoothError, match="is not empty and holds no run"):
        claim(tmp_path, FACTS, DEFAULTS)
    deep = '{"options": ' + "[" * 10_000 + "]" * 10_000 + "}"
    for content in ("", "[]", json.dumps({"version": 1}), '{"options": 3}', "[" * 100_000, deep):
        (tmp_path / MARKER).write_text(content)
        with pytest.raises(FuzzsmoothError, match=r"experiment\.json .* so what the folder holds is unknown"):
            claim(tmp_path, FACTS, DEFAULTS)


def test_a_folder_in_which_nothing_was_done_is_free_for_another_experiment(tmp_path: Path) -> None:
    claim(tmp_path, FACTS, DEFAULTS)
    (tmp_path / "seed0").mkdir()
    for size in (4, 5):
        claim(tmp_path, FACTS | {"size": size}, DEFAULTS)
        assert json.loads((tmp_path / MARKER).read_text())["options"]["size"] == size
    (tmp_path / MARKER).write_text("damaged")
    claim(tmp_path, FACTS, DEFAULTS)
