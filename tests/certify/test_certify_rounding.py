"""What a certificate says about rounding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fuzzsmooth.certify import Certificate, Rounding
from fuzzsmooth.common.errors import FuzzsmoothError


def rounding(**changes: Any) -> Rounding:
    values: dict[str, Any] = {
        "precision": "bfloat16",
        "function": "float32",
        "guard": 0.03,
        "measured": True,
        "undecided": "rechecked",
        "recheck_guard": 2e-6,
    }
    return Rounding(**(values | changes))


def certificate(**changes: Any) -> Certificate:
    values: dict[str, Any] = {
        "label": 1,
        "label_name": "positive",
        "radius": 1,
        "threat": "edit",
        "direction": "symmetric",
        "unit": "word",
        "rates": {"deletion": 0.9},
        "alpha": 0.0,
        "method": "exact",
        "guarantee": "proved",
        "p_lower": 0.9,
    }
    return Certificate(**(values | changes))


def test_it_travels_with_the_certificate() -> None:
    told = certificate(rounding=rounding())
    assert Certificate.from_json(told.to_json()) == told
    assert json.loads(told.to_json())["rounding"] == rounding().to_mapping()
    assert certificate(rounding=rounding().to_mapping()) == told
    assert certificate(rounding=rounding(guard=0.04)) != told


def test_older_certificates_do_not_tell() -> None:
    untold = certificate()
    assert untold.rounding is None
    mapping = untold.to_mapping()
    assert mapping.pop("rounding") is None
    assert Certificate.from_mapping(mapping) == untold


@pytest.mark.parametrize("value", [5, "float32", [1]])
def test_anything_else_is_refused(value: Any) -> None:
    mapping = certificate().to_mapping() | {"rounding": value}
    with pytest.raises(FuzzsmoothError, match=r"rounding"):
        Certificate.from_mapping(mapping)


@pytest.mark.parametrize(
    "changes",
    [{"guard": -1.0}, {"guard": float("nan")}, {"recheck_guard": float("inf")}, {"undecided": "lost"}],
)
def test_contradictions_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FuzzsmoothError, match="Rounding"):
        rounding(**changes)
    with pytest.raises(FuzzsmoothError, match="nothing is rechecked"):
        rounding(undecided="counted against")


def test_an_unknown_field_is_refused() -> None:
    mapping = certificate(rounding=rounding()).to_mapping()
    mapping["rounding"]["surprise"] = 1
    with pytest.raises(FuzzsmoothError, match="malformed"):
        Certificate.from_mapping(mapping)
