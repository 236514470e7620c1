"""Weight-space and joint bounds: known values, limits, order of composition, and refused reuse of draws."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from deletion_bounds import lower_bound
from fuzzsmooth.certify import (
    WEIGHT_CONDITION,
    Threat,
    check_fresh_draws,
    joint_lower_bound,
    joint_radius,
    radius,
    weight_lower_bound,
    weight_radius,
)
from fuzzsmooth.common.errors import FuzzsmoothError


@pytest.mark.parametrize(
    ("p", "rate", "size", "delta", "joint", "insert"),
    [
        (0.95, 0.9, 3, 0.5, 0.611, 0.637),
        (0.95, 0.9, 3, 1.0, 0.501, 0.540),
        (0.80, 0.9, 3, 1.0, 0.251, 0.319),
        (0.99, 0.95, 5, 1.0, 0.689, 0.702),
    ],
)
def test_known_values(p: float, rate: float, size: int, delta: float, joint: float, insert: float) -> None:
    found = joint_lower_bound(p, rate, delta, unmatched_source=size, unmatched_target=size)
    assert found == pytest.approx(joint, abs=6e-4)
    one_sided = joint_lower_bound(p, rate, delta, unmatched_source=0, unmatched_target=size)
    assert one_sided == pytest.approx(insert, abs=6e-4)
    edit_first = lower_bound(p, rate, unmatched_source=size, unmatched_target=size)
    weights_first = weight_lower_bound(p, delta)
    assert found >= weight_lower_bound(edit_first, delta) - 1e-10
    assert found >= lower_bound(weights_first, rate, unmatched_source=size, unmatched_target=size) - 1e-10


def test_it_contains_both_single_bounds() -> None:
    for p in (0.0, 0.2, 0.6, 0.97, 1.0):
        for a, b in ((0, 0), (2, 2), (0, 3), (3, 0)):
            without = joint_lower_bound(p, 0.8, 0.0, unmatched_source=a, unmatched_target=b)
            single = lower_bound(p, 0.8, unmatched_source=a, unmatched_target=b)
            assert without == pytest.approx(single, abs=1e-9)
        alone = joint_lower_bound(p, 0.8, 0.7, unmatched_source=0, unmatched_target=0)
        assert alone == pytest.approx(weight_lower_bound(p, 0.7), abs=1e-9)


def test_weight_radius_is_where_the_bound_crosses() -> None:
    assert weight_radius(0.9) == pytest.approx(norm.ppf(0.9), rel=1e-6)
    assert weight_radius(0.6, p_upper=0.1) == pytest.approx((norm.ppf(0.6) - norm.ppf(0.1)) / 2, rel=1e-6)
    assert weight_radius(0.5) == weight_radius(0.2) == -1
    for p in (0.55, 0.8, 0.999):
        reach = weight_radius(p)
        assert weight_lower_bound(p, reach * 0.999) > 0.5 > weight_lower_bound(p, reach * 1.001)
    with pytest.raises(FuzzsmoothError):
        weight_radius(1.0)


@pytest.mark.parametrize("threat", ["edit", "insert", "delete"])
def test_joint_radius_falls_from_the_edit_radius(threat: Threat) -> None:
    for p in (0.3, 0.6, 0.9, 0.99):
        radii = [joint_radius(p, 0.9, delta, threat) for delta in (0.0, 0.25, 0.5, 1.0, 3.0)]
        assert radii[0] == radius(p, 0.9, threat)
        assert radii == sorted(radii, reverse=True)
    assert joint_radius(0.99, 0.9, 3.0, threat) == -1
    assert joint_radius(1.0, 0.9, 0.5) == radius(1.0, 0.9)


def test_reused_draws_are_refused() -> None:
    check_fresh_draws([3, 1, 2])
    check_fresh_draws([])
    with pytest.raises(FuzzsmoothError, match="2 of 5 samples reuse"):
        check_fresh_draws([1, 2, 1, 3, 2])


def test_bad_arguments_and_condition() -> None:
    assert "0.5" in WEIGHT_CONDITION.format(delta=0.5)
    for call in (
        lambda: weight_lower_bound(1.2, 0.1),
        lambda: weight_lower_bound(0.9, -0.1),
        lambda: joint_lower_bound(0.9, 0.9, float("nan"), unmatched_source=0, unmatched_target=0),
        lambda: joint_lower_bound(0.9, 0.9, 0.1, unmatched_source=-1, unmatched_target=0),
        lambda: joint_radius(1.0, 0.9, 0.1, "delete"),
    ):
        with pytest.raises(FuzzsmoothError):
            call()
