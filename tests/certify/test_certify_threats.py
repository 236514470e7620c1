"""The table of threats: complete, consistent with the theorems, and the only one."""

from __future__ import annotations

from typing import get_args

import pytest

from fuzzsmooth.certify import (
    AWAITED,
    BACKWARD,
    MEANINGS,
    THREATS,
    Threat,
    ThreatName,
    backward_name,
    backward_radius,
    forward_radius,
)


def test_the_table_lists_every_threat_once_in_order() -> None:
    assert tuple(THREATS) == get_args(ThreatName)
    assert all(kind.name == name for name, kind in THREATS.items())
    assert set(get_args(Threat)) <= set(THREATS)


def test_what_undoes_a_threat_is_undone_by_it() -> None:
    for kind in THREATS.values():
        assert kind.inverse is None or THREATS[kind.inverse].inverse == kind.name
        assert (kind.directions == ("symmetric",)) == (kind.inverse == kind.name)
    assert THREATS["insert"].directions == ("forward", "backward")


@pytest.mark.parametrize("threat", get_args(Threat))
def test_a_backward_radius_is_the_forward_one_of_the_inverse(threat: Threat) -> None:
    undone = THREATS[threat].inverse
    assert backward_radius(0.9, 0.9, threat) == forward_radius(0.9, 0.9, undone)  # type: ignore[arg-type]
    symmetric = THREATS[threat].directions == ("symmetric",)
    assert (backward_radius(0.9, 0.9, threat) == forward_radius(0.9, 0.9, threat)) == symmetric


def test_radii_are_whole_where_the_units_of_the_text_are_counted() -> None:
    fine = {name: kind.unit for name, kind in THREATS.items() if not kind.whole}
    assert fine == {
        "weighted_edit": "cost",
        "weighted_insert": "cost",
        "weights": "standard deviation",
    }


def test_names_of_records() -> None:
    assert AWAITED[BACKWARD] == THREATS["insert"].inverse
    assert {*AWAITED, "trigger"} <= set(MEANINGS) <= {*THREATS, *map(backward_name, THREATS)}
    assert len(set(map(backward_name, THREATS))) == len(THREATS), "no two threats share a name"
    assert backward_name("insert") == BACKWARD
