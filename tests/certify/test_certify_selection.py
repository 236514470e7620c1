"""Selecting the label and bounding it and its rivals, from draws and from what was enumerated."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzsmooth.certify import (
    Majority,
    Strata,
    bound_top_class,
    choose_rivals,
    clopper_pearson_lower,
    clopper_pearson_upper,
    selection_draws,
)
from fuzzsmooth.common.errors import FuzzsmoothError


def test_two_classes_are_selected_and_bounded_by_the_same_draws() -> None:
    bound = bound_top_class([200, 800], alpha=1e-3)
    assert (bound.label, bound.successes, bound.trials) == (1, 800, 1000)
    assert bound.p_lower == Majority().lower(800, 1000, 1e-3)
    assert bound.p_lower == pytest.approx(0.75845, abs=1e-5), "at alpha / 2 it would be .75568"
    assert bound.p_lower + bound.p_upper >= 1.0


def test_split_bounds_at_full_alpha_and_does_not_reselect() -> None:
    bound = bound_top_class([10, 80, 10], [600, 250, 50], alpha=1e-3)
    assert bound.label == 1, "the label comes from the selection draws alone"
    assert bound.p_lower == clopper_pearson_lower(250, 900, 1e-3)


def test_same_draws_without_split_use_bonferroni_over_all_classes() -> None:
    assert bound_top_class([10, 80, 10], alpha=0.03).p_lower == clopper_pearson_lower(80, 100, 0.01)


def test_separate_rivals_help_when_votes_are_spread() -> None:
    votes = [540, 120, 120, 120]
    together = bound_top_class(votes, votes, alpha=1e-3)
    apart = bound_top_class(votes, votes, alpha=1e-3, rivals="separate")
    assert apart.p_lower - apart.p_upper > together.p_lower - together.p_upper + 0.1
    assert apart.p_upper == clopper_pearson_upper(120, 900, 1e-3 / 6)


def test_undecided_draws_count_against_the_certificate() -> None:
    bound = bound_top_class([90, 5], alpha=0.01, undecided=5)
    assert (bound.successes, bound.trials) == (90, 100)
    apart = bound_top_class([90, 3, 2], [90, 3, 2], alpha=0.01, undecided=5, rivals="separate")
    assert apart.p_upper == pytest.approx(clopper_pearson_upper(8, 100, 0.0025))


def test_selection_draws() -> None:
    assert [selection_draws(1000, classes) for classes in (2, 3, 4)] == [0, 100, 100]
    assert [selection_draws(draws, 3) for draws in (1, 2, 5)] == [1, 1, 1]
    for bad in ((0, 3), (5, 1)):
        with pytest.raises(FuzzsmoothError):
            selection_draws(*bad)


@pytest.mark.parametrize(
    ("selection", "estimation"),
    [([5], None), ([1, 2, 3], [1, 2]), ([-1, 5], None), ([0, 0], None), ([1, 1], [0, 0])],
)
def test_bad_votes(selection: list[int], estimation: list[int] | None) -> None:
    with pytest.raises(FuzzsmoothError):
        bound_top_class(selection, estimation, alpha=0.01)


def test_numpy_counts_are_accepted() -> None:
    counts = np.array([3, 97])
    assert bound_top_class(counts.tolist(), alpha=0.01) == bound_top_class(list(counts), alpha=0.01)


def test_a_majority_that_is_not_shown_is_not_claimed() -> None:
    assert bound_top_class([520, 480], alpha=1e-3).p_lower == 0.0
    assert bound_top_class([520, 480], alpha=1e-3).p_upper == 1.0
    assert bound_top_class([552, 448], alpha=1e-3).p_lower == 0.0
    assert bound_top_class([553, 447], alpha=1e-3).p_lower > 0.5


def test_of_two_classes_the_rival_is_always_the_complement() -> None:
    for rivals in ("complement", "separate", "auto"):
        assert bound_top_class([80, 20], alpha=0.01, rivals=rivals) == bound_top_class([80, 20], alpha=0.01)
        one = bound_top_class([8, 2], [80, 20], alpha=0.01, rivals=rivals)  # type: ignore[arg-type]
        assert one.p_lower == clopper_pearson_lower(80, 100, 0.01)


def test_auto_looks_at_the_selection_alone() -> None:
    spread, alone = [55, 15, 15, 15], [55, 45, 0, 0]
    strata = Strata((0.0,) * 4)
    assert choose_rivals(strata, spread, 900, 1e-3) == "separate"
    assert choose_rivals(strata, alone, 900, 1e-3) == "complement"
    assert choose_rivals(strata, [100, 0, 0, 0], 900, 1e-3) == "separate", "0.5 votes each may be to come"
    assert choose_rivals(strata, spread, 0, 1e-3) == "complement"
    assert choose_rivals(strata, [0] * 4, 900, 1e-3) == "complement"
    assert choose_rivals(Strata((0.4, 0.05, 0.05, 0.05), 0.6), [0] * 4, 900, 1e-3) == "separate"
    for selection, kind in ((spread, "separate"), (alone, "complement")):
        for votes in ([600, 100, 100, 100], [500, 400, 0, 0]):
            auto = bound_top_class(selection, votes, alpha=1e-3, rivals="auto")
            assert auto == bound_top_class(selection, votes, alpha=1e-3, rivals=kind)  # type: ignore[arg-type]
    with pytest.raises(FuzzsmoothError, match="needs estimation_counts"):
        bound_top_class([55, 30, 15], alpha=1e-3, rivals="auto")
    with pytest.raises(FuzzsmoothError, match="rivals must be"):
        bound_top_class([55, 30, 15], alpha=1e-3, rivals="both")  # type: ignore[arg-type]


def test_enumerated_parts_bound_rivals_from_both_sides() -> None:
    """What is undecided among the enumerated masks may be any rival's."""
    strata, votes = Strata((0.3, 0.1, 0.05), 0.5), [60, 30, 10]
    bound = bound_top_class([6, 3, 1], votes, alpha=0.01, rivals="separate", strata=strata)
    lower = clopper_pearson_lower(60, 100, 0.005)
    assert bound.p_lower == pytest.approx(0.3 + 0.5 * lower, abs=1e-9)
    upper = clopper_pearson_upper(30, 100, 0.0025)
    assert bound.p_upper == pytest.approx(0.1 + 0.05 + 0.5 * upper, abs=1e-9)
    nothing = bound_top_class([0, 0, 0], [0, 0, 0], alpha=0.01, rivals="auto", strata=strata)
    assert (nothing.label, nothing.trials) == (0, 0)
    assert nothing.p_lower == pytest.approx(0.3, abs=1e-9)
    assert nothing.p_upper == pytest.approx(0.7, abs=1e-9)
