"""The result type: JSON round trip, refused contradictions, and the plain English statements."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_args

import numpy as np
import pytest

from fuzzsmooth.certify import THREATS, UNBOUNDED, Certificate, Direction
from fuzzsmooth.common.errors import FuzzsmoothError


def make(**changes: Any) -> Certificate:
    values: dict[str, Any] = {
        "label": 1,
        "label_name": "positive",
        "radius": 4,
        "threat": "insert",
        "direction": "forward",
        "unit": "word",
        "rates": {"deletion": 0.9},
        "alpha": 1e-3,
        "method": "monte_carlo",
        "guarantee": "proved",
        "p_lower": 0.83,
        "counts": (120, 880),
        "draws": 1000,
        "seed": 7,
        "model": "ab12",
        "versions": {"fuzzsmooth": "0.1.0"},
    }
    return Certificate(**(values | changes))


ABSTAIN = {"label": None, "label_name": None, "radius": -1}
CONDITIONAL = {"guarantee": "conditional", "conditional_on": "the search finds it"}


@pytest.mark.parametrize(
    "certificate",
    [
        make(),
        make(**ABSTAIN),
        make(**CONDITIONAL, threat="trigger", rates={"high": 0.9, "low": 0.3}),
        make(
            method="deterministic", alpha=0.0, p_lower=None, counts=(), seed=None, threat="contiguous_insert"
        ),
        make(radius=UNBOUNDED, direction="backward", method="exact", alpha=0.0, p_lower=1.0),
        make(radius=1.25, threat="weighted_insert", unit="cost"),
    ],
)
def test_json_round_trip(certificate: Certificate) -> None:
    assert Certificate.from_json(certificate.to_json()) == certificate
    assert Certificate.from_mapping(json.loads(certificate.to_json())) == certificate


def test_unknown_missing_and_malformed_fields_are_refused() -> None:
    mapping = make().to_mapping()
    with pytest.raises(FuzzsmoothError, match="unknown field 'radus'"):
        Certificate.from_mapping(mapping | {"radus": 3})
    with pytest.raises(FuzzsmoothError, match="missing"):
        Certificate.from_mapping({name: value for name, value in mapping.items() if name != "threat"})
    for text in ("{", "[]", '"x"'):
        with pytest.raises(FuzzsmoothError):
            Certificate.from_json(text)
    for name, value in {"rates": 3, "counts": None, "radius": "four", "alpha": "x", "label": "1"}.items():
        with pytest.raises(FuzzsmoothError):
            Certificate.from_mapping(mapping | {name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"guarantee": "conditional"},
        {"conditional_on": "luck"},
        {"threat": "weights"},
        {"threat": "theft"},
        {"label": None},
        {"radius": -1},
        {"radius": -2},
        {"radius": float("nan")},
        {"alpha": 0.0},
        {"method": "exact"},
        {"method": "deterministic", "alpha": 0.0},
        {"p_lower": 1.2},
        {"p_lower": None},
        {"p_upper": -0.1},
        {"draws": -1},
        {"counts": (-1, 2)},
        {"unit": ""},
        {"label": -3},
        {"rates": {"deletion": float("inf")}},
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FuzzsmoothError):
        make(**changes)


def test_it_is_frozen_and_does_not_share_its_mappings() -> None:
    rates = {"deletion": 0.9}
    certificate = make(rates=rates)
    rates["deletion"] = 0.1
    assert certificate.rates["deletion"] == 0.9
    with pytest.raises(dataclasses.FrozenInstanceError):
        certificate.radius = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "statement"),
    [
        (
            {},
            "No insertion of up to 4 words anywhere in this text changes the smoothed model's majority"
            " answer, except with probability 0.001.",
        ),
        (
            {"direction": "backward", "radius": 5},
            "If up to 5 words of this text were inserted by an attacker, the smoothed model's majority answer"
            " to the original text was the same, except with probability 0.001.",
        ),
        (
            {"radius": 1, "method": "exact", "alpha": 0.0, "threat": "delete"},
            "No deletion of up to 1 word anywhere in this text changes the smoothed model's majority answer,"
            " with certainty.",
        ),
        (
            {"radius": 0},
            "This is the smoothed model's majority answer to this text as it stands (no change is"
            " covered), except with probability 0.001.",
        ),
        (
            CONDITIONAL | {"threat": "trigger", "radius": 13},
            "Conditional: provided that the search finds it, no trigger of up to 13 words inserted anywhere"
            " into this text changes the smoothed model's majority answer, except with probability 0.001.",
        ),
        (
            {"guarantee": "empirical"},
            "Measured, not guaranteed: no insertion of up to 4 words anywhere in this text changes"
            " the smoothed model's majority answer.",
        ),
        (ABSTAIN, "ABSTAIN: no answer is certified for this text."),
        (
            {"radius": UNBOUNDED, "direction": "backward"},
            "If any number of words of this text were inserted by an attacker, the smoothed model's majority"
            " answer to the original text was the same, except with probability 0.001.",
        ),
        (
            {
                "threat": "contiguous_insert",
                "method": "deterministic",
                "alpha": 0.0,
                "p_lower": None,
                "radius": 3,
                "outcome": "label_or_alert",
            },
            "No insertion of one contiguous piece of up to 3 words into this text changes this answer without"
            " raising an alarm, with certainty.",
        ),
        (
            {
                "threat": "edit_and_weights",
                "guarantee": "conditional",
                "conditional_on": "the clean weights lie within delta",
                "rates": {"deletion": 0.9, "delta": 0.5},
            },
            "Conditional: provided that the clean weights lie within delta, no sequence of up to 4 word edits"
            " anywhere in this text, together with a change of the noised weights by up to 0.5 noise standard"
            " deviations, changes the smoothed model's majority answer, except with probability 0.001.",
        ),
        (
            {"threat": "insert_and_delete", "frontier": ((0, 21), (1, 17), (4, 8), (5, 4), (6, 0))},
            "No combination of up to 0 insertions and 21 deletions, or 1 and 17, or 4 and 8, or 5 and 4 of"
            " words anywhere in this text changes the smoothed model's majority answer, except with"
            " probability 0.001.",
        ),
        (
            {"threat": "weighted_insert", "unit": "cost", "radius": 0.5509659}
            | {"rates": {"default": 0.9, "flagged": 0.99}},
            "No insertion into this text with a total cost of up to 0.550965 (a unit costs 0.106, one of a"
            " flagged type 0.0101) changes the smoothed model's majority answer, except with probability"
            " 0.001.",
        ),
    ],
)
def test_statements(changes: dict[str, Any], statement: str) -> None:
    assert make(**changes).statement() == statement


def test_every_threat_and_direction_has_a_sentence() -> None:
    for threat in THREATS:
        for direction in get_args(Direction):
            changes = CONDITIONAL if "weights" in threat else {}
            if threat == "insert_and_delete":
                changes = {"frontier": ((4, 5),)}
            text = make(threat=threat, direction=direction, **changes).statement()
            assert text.endswith("0.001.")
            assert "{" not in text
            assert "4" in text


def test_numpy_numbers_are_stored_as_plain_ones() -> None:
    certificate = make(label=np.int64(1), radius=np.int64(4), counts=np.array([120, 880]))
    assert certificate == make()
    assert Certificate.from_json(certificate.to_json()) == make()


def test_covers() -> None:
    assert make().covers(4)
    assert not make().covers(5)
    assert not make(**ABSTAIN).covers(0)
    assert not make(guarantee="empirical").covers(0)
