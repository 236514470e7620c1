"""The published formula is conditional: the counterexample, by exact enumeration."""

from __future__ import annotations

import itertools
import math

import pytest

from fuzzsmooth.certify import (
    CONDITION,
    MASKED_CONDITION,
    conditional_radius,
    radius,
)
from fuzzsmooth.certify.theorems.edit import ROUNDING

RATE_LOW, RATE_HIGH, RATE_UNIFORM = 0.7, 0.95, 0.7


def probability_of_a(trigger_units: int, rate: float) -> float:
    """P[no trigger unit survives] by enumerating all masks; h answers A iff none does."""
    return sum(
        rate ** (trigger_units - sum(mask)) * (1 - rate) ** sum(mask)
        for mask in itertools.product((0, 1), repeat=trigger_units)
        if not any(mask)
    )


def test_counterexample_two_words_flip_where_the_formula_claims_thirteen() -> None:
    p_clean = probability_of_a(0, RATE_LOW)
    assert p_clean == 1.0
    old = math.log(1 / 2) / math.log(RATE_UNIFORM)  # the real-valued radius of p_A = 1
    claimed = math.log(RATE_UNIFORM) / math.log(RATE_HIGH) * old  # Corollary 1
    assert int(claimed) == 13
    assert conditional_radius(p_clean, RATE_HIGH) == 13

    # The search misses (it flags decoys), so the trigger is deleted at the low rate: already r = 2 flips.
    assert probability_of_a(1, RATE_LOW) == pytest.approx(0.7)
    assert probability_of_a(2, RATE_LOW) == pytest.approx(0.49)
    assert probability_of_a(2, RATE_LOW) < 0.5 < probability_of_a(1, RATE_LOW)
    assert radius(p_clean, RATE_LOW, "insert") == 1, "the proved radius at the low rate does not overclaim"


def test_under_its_condition_the_formula_holds() -> None:
    """If the whole trigger is always found, it is deleted at the high rate, and 13 units do not flip."""
    claimed = conditional_radius(1.0, RATE_HIGH)
    assert probability_of_a(claimed, RATE_HIGH) > 0.5
    assert probability_of_a(claimed + 1, RATE_HIGH) < 0.5 + ROUNDING


def test_theorem_1_binary_form() -> None:
    """As published for substitutions under masks; insertions that are deleted reach further."""
    published = max(r for r in range(50) if 0.95**r > 1.5 - 0.9)
    assert conditional_radius(0.9, 0.95, masked=True) == published == 9
    assert conditional_radius(0.9, 0.95) == max(r for r in range(50) if 0.95**r > 1 / (2 * 0.9)) == 11
    assert conditional_radius(0.5, 0.95) == conditional_radius(0.5, 0.95, masked=True) == -1


def vote(text: str, marked: set[str], target: str, *, masked: bool = False) -> float:
    """Exact P[``target``]: "superb" left means yes; under masks, a fourth word or mask means no."""
    words, total = text.split(), 0.0
    for kept in itertools.product((0, 1), repeat=len(words)):
        rates = [RATE_HIGH if word in marked else 0.1 for word in words]
        law = math.prod(1 - rate if keep else rate for rate, keep in zip(rates, kept, strict=True))
        left = [word for word, keep in zip(words, kept, strict=True) if keep]
        yes = len(words) <= 3 if masked else "superb" in left
        total += law * (("yes" if yes else "no") == target)
    return total


def test_the_area_must_also_stay_the_same_elsewhere() -> None:
    """One inserted unit that draws the search to a word of the text changes the answer: it is no trigger."""
    p_clean = vote("a superb film", set(), "yes")
    assert conditional_radius(p_clean, RATE_HIGH) >= 10
    assert vote("a cf superb film", {"cf", "superb"}, "yes") < 0.06, "the area holds the whole trigger"
    assert vote("a cf superb film", {"cf"}, "yes") == pytest.approx(p_clean), "under the condition it holds"


def test_masks_cover_no_insertion() -> None:
    """The number of masks gives a longer text away, whatever the search has marked."""
    assert vote("a superb film", set(), "yes", masked=True) == pytest.approx(1.0)
    assert vote("a cf superb film", {"cf"}, "yes", masked=True) == pytest.approx(0.0)


def law(units: str, marked: set[str], *, masked: bool) -> dict[str, float]:
    """The exact law of randomized texts; a capital letter is a marked unit, "." a mask."""
    found: dict[str, float] = {}
    for kept in itertools.product((0, 1), repeat=len(units)):
        rates = [0.8 if unit in marked else 0.1 for unit in units]
        weight = math.prod(1 - rate if keep else rate for rate, keep in zip(rates, kept, strict=True))
        left = "".join(unit if keep else "." * masked for unit, keep in zip(units, kept, strict=True))
        found[left] = found.get(left, 0.0) + weight
    return found


def worst_case(source: dict[str, float], target: dict[str, float], p_source: float) -> float:
    """Least P[A] at the target over all base classifiers with P[A] = p at the source (Neyman-Pearson)."""
    spare, lost = 1 - p_source, sum(weight for left, weight in target.items() if left not in source)
    for left in sorted(source, key=lambda left: -target.get(left, 0.0) / source[left]):
        share = min(1.0, spare / source[left])
        spare -= share * source[left]
        lost += share * target.get(left, 0.0)
    return 1 - lost


@pytest.mark.parametrize("masked", [False, True])
def test_no_base_classifier_changes_within_the_radius(masked: bool) -> None:
    """Two more units at the low rate; a marked trigger is inserted, or replaces marked units."""
    reached = 0
    for p_clean in (0.6, 0.75, 0.9, 0.99):
        reach = conditional_radius(p_clean, 0.8, masked=masked)
        for size in range(1, 5):
            trigger, before = "TUVW"[:size], "PQRS"[:size] if masked else ""
            source = law(f"a{before}b", set(before), masked=masked)
            target = law(f"a{trigger}b", set(trigger), masked=masked)
            worst = worst_case(source, target, p_clean)
            assert worst > 0.5 or size > reach
            reached += size == reach
            if size == reach + 1:
                assert worst <= 0.5 + 1e-9, "and beyond it one does: the radius is tight"
    assert reached > 0


def test_conditions_name_what_they_need() -> None:
    assert "otherwise exactly what it marks in this text" in CONDITION
    assert "in both texts" in MASKED_CONDITION
