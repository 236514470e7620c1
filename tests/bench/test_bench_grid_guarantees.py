"""Distances against an independent implementation, and certificates held against triggered texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import DamerauLevenshtein, LCSseq

from fuzzsmooth.bench.grid.changes import (
    deleted,
    edits,
    inserted,
    piece_edited,
    piece_inserted,
    piece_replaced,
    substituted,
)
from fuzzsmooth.bench.grid.guarantees import Check, checks
from fuzzsmooth.bench.grid.measured import read_measured
from fuzzsmooth.bench.records import TextRecord
from grid_folder import label, records, write_grid


def test_edits_are_the_unrestricted_distance() -> None:
    generator = np.random.default_rng(0)
    for _ in range(400):
        one, other = (list(generator.choice(list("abc"), size=generator.integers(8))) for _ in range(2))
        assert edits(one, other) == DamerauLevenshtein.distance(one, other), (one, other)


def test_insertions_are_those_of_a_common_subsequence() -> None:
    generator = np.random.default_rng(1)
    both = 0
    for _ in range(400):
        one, other = (list(generator.choice(list("ab"), size=generator.integers(6))) for _ in range(2))
        whole = LCSseq.similarity(one, other) == len(one)
        assert inserted(one, other) == (len(other) - len(one) if whole else None)
        assert deleted(other, one) == inserted(one, other)
        both += whole
    assert 50 < both < 350


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("a b", "a x y b", (2, None, 2)),
        ("a b", "x a b y", (None, None, 4)),
        ("a b c", "a x c", (None, 1, 1)),
        ("a b c", "x b y", (None, 3, 3)),
        ("a b c", "a b c", (0, 0, 0)),
        ("a a", "a a a", (1, None, 1)),
        ("a b c d", "a d", (None, None, 2)),
    ],
)
def test_pieces_by_hand(before: str, after: str, pieces: tuple[int | None, ...]) -> None:
    one, other = before.split(), after.split()
    found = (piece_inserted(one, other), piece_replaced(one, other), piece_edited(one, other))
    assert tuple(None if size is not None and size < 0 else size for size in found) == pieces


def test_substitutions_keep_the_length() -> None:
    assert substituted(["a", "b"], ["a", "c"]) == 1
    assert substituted(["a", "b"], ["a"]) is None


def one_check(tmp_path: Path, answers: list[tuple[int, int | None, int | None]], radius: int) -> list[Check]:
    rows = records("frs", answers, guarantee="proved", radii={"insert": radius, "backward": radius})
    folder = write_grid(tmp_path, [(label("frs"), rows)])
    (setting,) = read_measured(folder).settings
    return checks(setting.rows[0])


def test_within_the_radius_the_answer_stays(tmp_path: Path) -> None:
    answers = [(0, 0, 0), (0, 1, 1), (0, 0, None), (1, 1, None)]
    found = one_check(tmp_path, answers, radius=1)
    # A received text that is not answered has a radius in these records, but no answer to hold on to.
    assert found[0] == Check("insert", kept=2, abstained=1, violated=0, beyond=0, another=0)
    assert found[0].checked == 3


def test_control_a_violation_is_found(tmp_path: Path) -> None:
    found = one_check(tmp_path, [(0, 0, 1), (0, 0, 0)], radius=1)
    assert {one.threat: one.violated for one in found} == {"insert": 1, "backward": 1}


def test_beyond_the_radius_nothing_is_promised(tmp_path: Path) -> None:
    found = one_check(tmp_path, [(0, 0, 1), (0, 0, 0)], radius=0)
    assert [(one.checked, one.beyond) for one in found] == [(0, 2), (0, 2)]


def test_a_change_of_another_kind_is_told_apart(tmp_path: Path) -> None:
    one = TextRecord(seed=0, defense="frs", split="clean", index=0, text="a b", label=0, prediction=0)
    clean = replace(one, guarantee="proved", radii={"insert": 5, "edit": 5})
    other = replace(one, split="triggered", text="a c", prediction=1, guarantee="proved")
    folder = write_grid(tmp_path, [(label("frs"), [clean, other])])
    (setting,) = read_measured(folder).settings
    found = {check.threat: check for check in checks(setting.rows[0])}
    assert (found["insert"].checked, found["insert"].another) == (0, 1)
    assert (found["edit"].violated, found["edit"].checked) == (1, 1)
