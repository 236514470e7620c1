"""Theorem 1 in closed form: the published table, exact rational arithmetic, boundaries, differing names."""

from __future__ import annotations

import itertools
import math
import sys
from fractions import Fraction

import numpy as np
import pytest

from deletion_bounds import lower_bound, margin_bound
from fuzzsmooth.certify import (
    NOT_CERTIFIED,
    UNBOUNDED,
    Threat,
    backward_radius,
    certified,
    exact_rate,
    forward_radius,
    frontier,
    radius,
    rate_numerator,
)
from fuzzsmooth.common.errors import FuzzsmoothError

TABLE = {  # rate -> p -> radius for edit / forward insert / backward insert, two classes and exact p
    0.7: {0.7: (0, 0, 1), 0.8: (0, 1, 2), 0.9: (1, 1, 4), 0.95: (1, 1, 6), 0.99: (1, 1, 10)},
    0.8: {0.7: (0, 1, 2), 0.8: (1, 2, 4), 0.9: (2, 2, 7), 0.95: (2, 2, 10), 0.99: (3, 3, 17)},
    0.9: {0.7: (2, 3, 4), 0.8: (3, 4, 8), 0.9: (4, 5, 15), 0.95: (5, 6, 21), 0.99: (6, 6, 37)},
    0.95: {0.7: (4, 6, 9), 0.8: (6, 9, 17), 0.9: (9, 11, 31), 0.95: (11, 12, 44), 0.99: (13, 13, 76)},
}


@pytest.mark.parametrize("rate", TABLE)
def test_table_of_radii(rate: float) -> None:
    for p, (edit, insert, backward) in TABLE[rate].items():
        below = p - 1e-9  # .8 is not a multiple of 2**-32, so p = .7 would sit just above its threshold
        assert radius(below, rate) == edit
        assert forward_radius(below, rate) == insert
        assert backward_radius(below, rate) == backward


@pytest.mark.parametrize("threat", ["edit", "insert", "delete", "substitute", "transpose"])
def test_radius_is_the_largest_one_in_exact_arithmetic(threat: Threat) -> None:
    """The float code never claims more than rational arithmetic, and at most a rounding margin less."""
    generator = np.random.default_rng(5)
    for _ in range(400):
        p_lower = float(generator.uniform(0.3, 1.0))
        p_upper = float(generator.uniform(0.0, 1.0 - p_lower))
        rate = float(generator.uniform(0.05, 0.97))
        w, margin = Fraction(rate_numerator(rate), 2**32), Fraction(p_lower) - Fraction(p_upper)
        found = radius(p_lower, rate, threat, p_upper=p_upper)
        if margin <= 0:
            assert found == NOT_CERTIFIED
            continue
        threshold = {"insert": 1 / (1 + margin), "delete": 1 - margin}.get(threat, 1 - margin / 2)
        expected = 0
        while w ** (expected + 1) > threshold:
            expected += 1
        assert found == expected


def test_strict_inequality_at_the_threshold() -> None:
    # w = 1/2 exactly: edit needs w^1 > 3/2 - p, so p = 1 sits on the border.
    assert radius(1.0, 0.5) == 0
    assert radius(1.0, 0.5, "insert") == 0
    assert radius(0.75, 0.5, "delete") == 0
    assert radius(np.nextafter(0.75, 1) + 1e-9, 0.5, "delete") == 1


def test_abstains_without_a_margin() -> None:
    for p_lower, p_upper in ((0.5, None), (0.4, None), (0.3, 0.3), (0.3, 0.4), (0.0, None)):
        assert radius(p_lower, 0.9, p_upper=p_upper) == NOT_CERTIFIED
        assert not certified(p_lower, 0.9, unmatched_source=0, unmatched_target=0, p_upper=p_upper)
    assert radius(0.4, 0.9, p_upper=0.1) >= 1, "a small p_A certifies if the rivals are smaller still"


def test_delete_is_unbounded_only_for_certain_classes_and_capped_by_length() -> None:
    assert radius(1.0, 0.9, "delete") == UNBOUNDED == sys.maxsize
    assert radius(1.0, 0.9, "delete", length=12) == 12
    assert backward_radius(0.99, 0.9, length=20) == 20
    assert radius(0.5, 0.9, "delete", length=20) == NOT_CERTIFIED


def test_no_deletion_certifies_the_text_itself_only() -> None:
    assert radius(0.9, 0.0) == 0
    assert radius(1.0, 0.0, "delete") == 0


def test_forward_and_backward_differ_and_invert_each_other() -> None:
    assert forward_radius(0.9, 0.9) == radius(0.9, 0.9, "insert") == backward_radius(0.9, 0.9, "delete")
    assert backward_radius(0.9, 0.9) == radius(0.9, 0.9, "delete") == forward_radius(0.9, 0.9, "delete")
    assert forward_radius(0.9, 0.9) < backward_radius(0.9, 0.9)


@pytest.mark.parametrize("rate", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("p_lower", [0.55, 0.8, 0.97, 1.0])
def test_mixed_form_agrees_with_closed_forms(rate: float, p_lower: float) -> None:
    for size in range(60):
        for threat, (a, b) in {"edit": (size, size), "insert": (0, size), "delete": (size, 0)}.items():
            mixed = certified(p_lower, rate, unmatched_source=a, unmatched_target=b)
            assert mixed == (size <= radius(p_lower, rate, threat))  # type: ignore[arg-type]
            margin = margin_bound(p_lower, rate, unmatched_source=a, unmatched_target=b)
            assert (margin > 0) == mixed
            single = lower_bound(p_lower, rate, unmatched_source=a, unmatched_target=b)
            assert margin >= 2 * single - 1 - 1e-9, "E3 is at least E1 for two classes"


def test_exact_rate_is_what_a_32_bit_coin_does() -> None:
    assert exact_rate(0.9) * 2**32 == rate_numerator(0.9) == 3865470566
    assert exact_rate(0.5) == 0.5
    assert abs(exact_rate(0.7) - 0.7) <= 2.0**-33
    for bad in (-0.1, 1.0, 1.0 - 2.0**-40, float("nan"), float("inf")):
        with pytest.raises(FuzzsmoothError):
            exact_rate(bad)


def test_thresholds_met_exactly_are_not_certified() -> None:
    """w = 1/2 meets 3/2 - p at p = 1, r = 1, and 2 - 2 p at p = 7/8, r = 2: equality is not enough."""
    assert radius(1.0, 0.5, p_upper=0.0) == 0
    assert radius(0.875, 0.5, "delete", p_upper=0.125) == radius(0.875, 0.5, "delete") == 1


def test_bad_arguments() -> None:
    with pytest.raises(FuzzsmoothError):
        radius(1.1, 0.9)
    with pytest.raises(FuzzsmoothError):
        radius(0.9, 0.9, "swap")  # type: ignore[arg-type]
    with pytest.raises(FuzzsmoothError):
        backward_radius(0.9, 0.9, "swap")  # type: ignore[arg-type]
    with pytest.raises(FuzzsmoothError):
        radius(0.9, 0.9, length=-1)
    with pytest.raises(FuzzsmoothError):
        certified(0.9, 0.9, unmatched_source=-1, unmatched_target=0)
    with pytest.raises(FuzzsmoothError):
        certified(0.9, 0.9, unmatched_source=0, unmatched_target=0, p_upper=float("nan"))


def test_the_rate_is_used_as_given() -> None:
    """At .6 and rate .8 deletions sit exactly on the threshold 2 - 2p = .8; the coins' rate lies above it."""
    assert exact_rate(0.8) > 0.8
    assert radius(0.6, 0.8, "delete") == 0
    assert radius(0.6, exact_rate(0.8), "delete") == 1
    assert backward_radius(0.6, 0.8) == forward_radius(0.6, 0.8, "delete") == 0
    assert not certified(0.6, 0.8, unmatched_source=1, unmatched_target=0)
    assert certified(0.6, exact_rate(0.8), unmatched_source=1, unmatched_target=0)


@pytest.mark.parametrize("rate", [1e-300, 0.5, 1 - 2.0**-40, math.nextafter(1.0, 0.0)])
def test_rates_near_to_zero_and_one_are_answered_at_once(rate: float) -> None:
    for threat in ("edit", "insert", "delete"):
        found = radius(0.8, rate, threat)  # type: ignore[arg-type]
        exponent = Fraction(rate) ** found if found < 1000 else math.exp(found * math.log(rate))
        assert exponent > {"edit": 0.7, "insert": 0.625, "delete": 0.4}[threat]


PROBABILITIES = [0.0, 1e-12, 0.3, 0.5, 0.5 + 1e-9, 0.7, 0.9, 0.999, 1.0]


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.7, 0.9, 0.95])
def test_frontier_holds_exactly_the_certified_mixtures(rate: float) -> None:
    """Against the mixtures tried one by one; nothing more is certified, and no pair is within another."""
    for p_lower in PROBABILITIES:
        for p_upper in (None, 0.0, 0.2, 0.6):
            pairs = frontier(p_lower, rate, p_upper=p_upper, length=25)
            for inserted in range(20):
                for deleted in range(26):
                    covered = any(inserted <= b and deleted <= a for b, a in pairs)
                    alone = certified(
                        p_lower, rate, unmatched_source=deleted, unmatched_target=inserted, p_upper=p_upper
                    )
                    assert covered == alone, (p_lower, p_upper, inserted, deleted)
            for one, other in itertools.permutations(pairs, 2):
                assert one[0] > other[0] or one[1] > other[1]


def test_frontier_ends_at_the_radii_of_the_single_threats() -> None:
    pairs = frontier(0.9, 0.9)
    assert pairs == ((0, 15), (1, 14), (2, 12), (3, 10), (4, 8), (5, 4))
    assert pairs[0][1] == radius(0.9, 0.9, "delete")
    assert pairs[-1][0] == radius(0.9, 0.9, "insert")
    assert max(min(pair) for pair in pairs) == radius(0.9, 0.9, "edit")
    assert frontier(0.5, 0.9) == ()
    assert frontier(1.0, 0.9) == ((6, UNBOUNDED),)
    assert frontier(1.0, 0.9, length=3) == ((6, 3),)
    assert frontier(0.9, 0.9, most=2) == ((0, 15), (1, 14), (2, 12))
    assert len(frontier(0.9, 1 - 1e-7)) <= 1001
    for bad in ({"length": -1}, {"most": -1}, {"p_upper": 2.0}):
        with pytest.raises(FuzzsmoothError):
            frontier(0.9, 0.9, **bad)  # type: ignore[arg-type]


def test_without_deletion_nothing_is_known_of_fewer_units() -> None:
    """At rate 0 the text itself is read: even a certain answer says nothing about a text one unit shorter."""
    assert not certified(1.0, 0.0, unmatched_source=1, unmatched_target=0)
    assert certified(1.0, 0.0, unmatched_source=0, unmatched_target=0)
    assert certified(1.0, 0.9, unmatched_source=500, unmatched_target=0)
