"""Tests of differences against brute force and against numbers worked out by hand."""

from __future__ import annotations

from itertools import product
from math import comb
from pathlib import Path

import numpy as np
import pytest

from fuzzsmooth.bench.grid.measured import Measured, read_measured
from fuzzsmooth.bench.grid.significance import against_best, compare, holm, mcnemar, over_seeds
from grid_folder import label, records, write_grid


def brute_force(better: int, worse: int) -> float:
    """The share of all outcomes of fair coins that are no more likely than what was seen."""
    count = better + worse
    seen = comb(count, better)
    outcomes = [sum(coins) for coins in product((0, 1), repeat=count)]
    return sum(comb(count, heads) <= seen for heads in outcomes) / 2**count


@pytest.mark.parametrize("better", range(7))
@pytest.mark.parametrize("worse", range(6))
def test_mcnemar_is_that_of_all_coins(better: int, worse: int) -> None:
    assert mcnemar(better, worse) == pytest.approx(brute_force(better, worse), rel=1e-12)


def test_holm_by_hand() -> None:
    # Sorted .01 x 4, .02 x 3, .03 x 2 (raised to the one before), .5.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_seeds_are_combined_whatever_they_share() -> None:
    """Twice the mean is a p value of tests that depend on each other; the smallest of them is none."""
    assert over_seeds([0.03]) == 0.03
    assert over_seeds([0.01, 0.03]) == pytest.approx(0.04)
    assert over_seeds([0.9, 0.9]) == 1.0
    draws = np.random.default_rng(0).uniform(size=20_000)
    opposite = np.stack([draws, 1 - draws], axis=1)
    combined = np.array([over_seeds(pair.tolist()) for pair in opposite])
    assert (combined <= 0.05).mean() <= 0.05
    assert (opposite.min(axis=1) <= 0.05).mean() > 0.05, "control"


def rows_of(folder: Path) -> dict[str, Measured]:
    (setting,) = read_measured(folder).settings
    return {row.name: row for row in setting.rows}


# (true class, answer, answer with the trigger); the target is 1.
GOOD = [(0, 0, 0)] * 8 + [(1, 1, None)] * 2
WEAK = [(0, 0, 1)] * 6 + [(0, 1, 0)] * 2 + [(1, 1, None)] * 2


def test_rows_are_compared_on_the_same_texts(tmp_path: Path) -> None:
    cells = [
        (label("frs", 0), records("frs", GOOD)),
        (label("onion", 0), records("onion", WEAK)),
    ]
    rows = rows_of(write_grid(tmp_path, cells))
    accuracy = compare(rows["frs"], rows["onion"], "ca")
    success = compare(rows["frs"], rows["onion"], "asr")
    assert accuracy is not None
    assert success is not None
    assert (accuracy.better, accuracy.worse, accuracy.p) == (2, 0, 0.5)
    assert (success.better, success.worse) == (6, 0)
    assert success.p == pytest.approx(2 / 2**6)


def test_only_texts_that_both_have_answered_count(tmp_path: Path) -> None:
    cells = [(label("frs"), records("frs", GOOD[:3])), (label("onion"), records("onion", WEAK))]
    rows = rows_of(write_grid(tmp_path, cells))
    found = compare(rows["frs"], rows["onion"], "asr")
    assert found is not None
    assert (found.better, found.worse) == (3, 0)
    other = [(label("frs", 0), records("frs", GOOD)), (label("onion", 1), records("onion", WEAK, seed=1))]
    rows = rows_of(write_grid(tmp_path / "apart", other))
    assert compare(rows["frs"], rows["onion"], "ca") is None, "seeds are not mixed"


def test_the_rival_is_the_best_other_row_and_never_the_undefended_model(tmp_path: Path) -> None:
    perfect = [(0, 0, 0)] * 8 + [(1, 1, None)] * 2
    cells = [
        (label("undefended"), records("undefended", perfect)),
        (label("frs"), records("frs", GOOD)),
        (label("onion"), records("onion", WEAK)),
        (label("rap"), records("rap", [(0, 0, 0)] * 3 + [(0, 0, 1)] * 5 + [(1, 0, None)] * 2)),
    ]
    rows = list(rows_of(write_grid(tmp_path, cells)).values())
    found = {one.metric: one for one in against_best(rows)}
    assert {metric: (one.row, one.rival) for metric, one in found.items()} == {
        "ca": ("frs", "onion"),  # 8 of 10 both; the first of equals
        "asr": ("frs", "rap"),
    }
    all_rows = against_best(rows, rival="undefended")
    assert {one.row for one in all_rows} == {"frs", "onion", "rap"}
    assert {one.rival for one in all_rows} == {"undefended"}


def test_several_seeds_are_one_test(tmp_path: Path) -> None:
    cells = [
        (label(row, seed), records(row, answers, seed=seed))
        for seed in (0, 1)
        for row, answers in (("frs", GOOD), ("onion", WEAK))
    ]
    rows = rows_of(write_grid(tmp_path, cells))
    found = compare(rows["frs"], rows["onion"], "asr")
    assert found is not None
    assert (found.better, found.worse) == (12, 0)
    assert found.p == pytest.approx(2 * 2 / 2**6), "not the 2 / 2**12 of texts that were different ones"
