"""Weighted edits: published figures, reduction to uniform rates, budgets against every split, bad tables."""

from __future__ import annotations

import itertools
import math

import pytest

from fuzzsmooth.certify import RateTable, insertion_budget, radius, removal_budget
from fuzzsmooth.certify.theorems.edit import conditionally_certified
from fuzzsmooth.common.errors import FuzzsmoothError

P_LOWER = 0.95  # M = .9


@pytest.mark.parametrize(("rare", "count"), [(0.95, 12), (0.97, 21), (0.99, 63)])
def test_rare_units_are_cheap(rare: float, count: int) -> None:
    table = RateTable(0.8, {"cf": rare})
    budget = insertion_budget(P_LOWER)
    assert table.cost(["cf"] * count) < budget <= table.cost(["cf"] * (count + 1))
    assert table.certified(P_LOWER, added=["cf"] * count)
    assert not table.certified(P_LOWER, added=["cf"] * (count + 1))
    assert table.worst_insertion_radius(P_LOWER) == 2, "an unlisted type is deleted at .8 only"


@pytest.mark.parametrize("p_lower", [0.4, 0.55, 0.8, 0.97, 1.0])
@pytest.mark.parametrize("rate", [0.5, 0.8, 0.9])
def test_one_rate_for_all_is_theorem_one(p_lower: float, rate: float) -> None:
    table = RateTable(rate, {"a": rate})
    text = "abcd" * 20
    assert table.worst_insertion_radius(p_lower) == radius(p_lower, rate, "insert")
    assert table.worst_edit_radius(p_lower, text) == radius(p_lower, rate, "edit")


def test_text_of_high_rate_units_resists_more_edits() -> None:
    table = RateTable(0.9, {"rare": 0.99})
    assert table.worst_edit_radius(0.8, ["rare"] * 30) > table.worst_edit_radius(0.8, ["common"] * 30)
    assert table.worst_edit_radius(0.8, []) == radius(0.8, 0.9, "insert"), "nothing can be removed"
    assert table.worst_edit_radius(0.3, ["rare"]) == -1
    cold = RateTable(0.9, {"cold": 0.5})
    assert cold.worst_edit_radius(0.8, []) == cold.worst_insertion_radius(0.8) == radius(0.8, 0.5, "insert")


def test_budget_covers_every_split_into_removed_and_added() -> None:
    """Any removed and added units whose costs sum to less than B are certified; some sum above B is not."""
    table = RateTable(0.8, {"a": 0.9, "b": 0.95, "c": 0.6})
    beyond = 0
    for p_lower, p_upper in ((0.95, None), (0.7, None), (0.6, 0.1)):
        budget = insertion_budget(p_lower, p_upper=p_upper)
        for counts in itertools.product(range(4), repeat=6):
            removed = "a" * counts[0] + "b" * counts[1] + "c" * counts[2]
            added = "a" * counts[3] + "b" * counts[4] + "c" * counts[5]
            sure = table.certified(p_lower, removed=removed, added=added, p_upper=p_upper)
            if table.cost(removed + added) < budget:
                assert sure
            elif not removed:
                assert not sure
                beyond += 1
    assert beyond > 0


def test_budget_values_and_cost() -> None:
    assert insertion_budget(0.95) == pytest.approx(math.log(1.9))
    assert insertion_budget(0.5) == 0.0
    assert insertion_budget(0.2) == 0.0
    assert insertion_budget(0.6, p_upper=0.1) == pytest.approx(math.log(1.5))
    table = RateTable(0.5, {"x": 0.25})
    assert table.cost(["x", "y"]) == pytest.approx(math.log(8))
    assert table.mass(["x", "y"]) == 0.125
    assert (table.cost([]), table.mass([])) == (0.0, 1.0)
    assert table.lowest == 0.25


def test_the_table_is_a_copy_and_checked() -> None:
    rates = {"x": 0.9}
    table = RateTable(0.5, rates)
    rates["x"] = 0.1
    assert table.rate("x") == pytest.approx(0.9)
    for default, listed in ((0.0, {}), (1.0, {}), (0.5, {"x": 0.0}), (0.5, {"x": 1.5})):
        with pytest.raises(FuzzsmoothError):
            RateTable(default, listed)
    with pytest.raises(FuzzsmoothError):
        insertion_budget(1.5)


@pytest.mark.parametrize("p_lower", [0.4, 0.6, 0.8, 0.95, 0.999])
def test_backward_radius_and_budget_are_those_of_every_removal(p_lower: float) -> None:
    table = RateTable(0.6, {"a": 0.9, "b": 0.97})
    text = "aabbcabc"
    claimed, budget = table.worst_removal_radius(p_lower, text), removal_budget(p_lower)
    sure = {
        size: [table.certified(p_lower, removed=removed) for removed in itertools.combinations(text, size)]
        for size in range(len(text) + 1)
    }
    assert claimed == max((size for size in sure if all(all(sure[s]) for s in range(size + 1))), default=-1)
    for size in sure:
        for removed, certain in zip(itertools.combinations(text, size), sure[size], strict=True):
            if p_lower > 0.5:
                assert certain == (table.cost(removed) < budget)
    assert table.worst_removal_radius(1.0, text) == len(text)
    assert math.isinf(removal_budget(1.0))


@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_backward_with_one_rate_is_theorem_one(rate: float) -> None:
    for p_lower in (0.3, 0.55, 0.8, 0.97):
        text = "abcd" * 10
        assert RateTable(rate, {}).worst_removal_radius(p_lower, text) == radius(
            p_lower, rate, "delete", length=40
        )


def test_every_pair_of_probabilities_is_answered() -> None:
    """Budgets are 0 and radii -1 where nothing is certified, whatever the pair; nothing else is claimed."""
    table, text = RateTable(0.8, {"cf": 0.95}), ("a", "cf", "b")
    grid = [0.0, 5e-324, 1e-12, 0.25, 0.5, 0.5 + 1e-9, 0.75, 1 - 1e-12, math.nextafter(1.0, 0.0), 1.0]
    for p_lower in grid:
        for p_upper in (None, *grid):
            top = p_lower - min(1.0 if p_upper is None else p_upper, 1.0 - p_lower)
            insert = insertion_budget(p_lower, p_upper=p_upper)
            remove = removal_budget(p_lower, p_upper=p_upper)
            radii = (
                table.worst_insertion_radius(p_lower, p_upper=p_upper),
                table.worst_edit_radius(p_lower, text, p_upper=p_upper),
                table.worst_removal_radius(p_lower, text, p_upper=p_upper),
            )
            if top <= 0:
                assert (insert, remove, radii) == (0.0, 0.0, (-1, -1, -1))
            else:
                assert 0.0 <= insert <= math.log1p(top)
                assert insert >= math.log1p(top) - 1e-11
                assert 0.0 <= remove <= (math.inf if top >= 1 else -math.log1p(-top))
                assert min(radii) >= 0 or top < 1e-11
            # the budget agrees with the condition it stands for
            for rate in (0.3, 0.8, 0.95, 1 - 1e-6):
                single = RateTable(rate, {})
                if single.cost(["x"]) < insert:
                    assert single.certified(p_lower, added=["x"], p_upper=p_upper)
                if single.cost(["x"]) < remove:
                    assert single.certified(p_lower, removed=["x"], p_upper=p_upper)


def test_worst_radii_are_those_of_one_more_at_a_time() -> None:
    """Bisection finds what counting up would; rates very near to one do not take longer."""
    for default in (0.3, 0.8, 0.97):
        table, text = RateTable(default, {"a": 0.5, "b": 0.99}), ("a", "b", "b", "c")
        for p_lower in (0.4, 0.55, 0.8, 0.99, 1.0):
            removable = sorted(table.rate(unit) for unit in text)
            size = -1
            while conditionally_certified(
                2 - 2 * p_lower, math.prod(removable[: size + 1]), table.lowest ** (size + 1)
            ):
                size += 1
            assert table.worst_edit_radius(p_lower, text) == size
    assert RateTable(1 - 1e-12, {}).worst_edit_radius(0.9, ("a",)) > 10**10
