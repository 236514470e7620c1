"""Certificates about the weights: conditional, from fresh draws only; the measured recall of defense frs."""

from __future__ import annotations

from typing import Any

import pytest
from engine_worlds import TRIGGERED, Noisy, Rule, smoothed

from fuzzsmooth.certify import CONDITION, Certificate, joint_radius, weight_radius
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.engine import weight_distance
from fuzzsmooth.engine.weight_distance import weight_seeds


def certify(classifier: Any, distance: float | None = 0.5, **options: Any) -> tuple[Certificate, ...]:
    settings = {"defense": "deletion", "fuzzing": False, "rate": 0.7, "draws": 400, "sigma": 0.1} | options
    (answer,) = smoothed(classifier, weight_distance=distance, **settings).certify(
        ["bad dull awful plot bad"]
    )
    return answer.certificates


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "auto"])
def test_weight_certificates_are_conditional_and_those_of_the_bound(statistics: str) -> None:
    certificates = certify(Noisy(TRIGGERED), statistics=statistics)
    alone, both, back, insert = certificates[5:]
    p_lower = alone.p_lower
    assert p_lower is not None
    assert alone.radius == weight_radius(p_lower, p_upper=alone.p_upper) > 0
    assert (both.radius, insert.radius) == tuple(
        joint_radius(p_lower, 0.7, 0.5, threat) for threat in ("edit", "insert")
    )
    assert back.radius == joint_radius(p_lower, 0.7, 0.5, "delete", length=5) >= insert.radius
    assert [one.direction for one in (both, back, insert)] == ["symmetric", "backward", "forward"]
    for one in (alone, both, back, insert):
        assert one.guarantee == "conditional"
        assert one.conditional_on is not None
        assert "differ from these only in the noised layers" in one.conditional_on
        assert one.statement().startswith(("Conditional: provided that", "ABSTAIN"))
    assert both.conditional_on == back.conditional_on
    assert "at most 0.5 noise standard deviations" in (both.conditional_on or "")
    assert alone.unit == "standard deviation"
    assert all(one.guarantee == "proved" for one in certificates[:5]), "edits alone need no condition"


def test_none_are_given_unless_asked_for() -> None:
    assert len(certify(Noisy(TRIGGERED), None)) == 5


def test_at_distance_zero_the_edit_certificate_comes_back() -> None:
    certificates = certify(Noisy(TRIGGERED), 0.0)
    assert certificates[6].radius == certificates[0].radius
    assert certificates[8].radius == certificates[1].radius


def test_the_backward_radius_is_capped_by_the_length() -> None:
    """Of two words no more than two can have been inserted, however far the weights may have moved."""
    sure = Noisy(Rule(lambda _: 1))
    (answer,) = smoothed(
        sure, defense="deletion", fuzzing=False, rate=0.9, sigma=0.1, weight_distance=0.1
    ).certify(["two words"])
    backward = {one.threat: one.radius for one in answer.certificates if one.direction == "backward"}
    assert backward == {"insert": 2, "insert_and_weights": 2}


def test_no_weight_distance_with_fuzzing() -> None:
    """The search reads the weights without their noise: at other weights it is another base classifier."""
    with pytest.raises(FuzzsmoothError, match="cannot be certified with fuzzing"):
        certify(Noisy(TRIGGERED), fuzzing=True)


def test_the_seeds_that_are_checked_are_those_of_the_draws() -> None:
    noisy = Noisy(TRIGGERED)
    certificates = certify(noisy, statistics="fixed")
    key = text_key("bad dull awful plot bad")
    assert noisy.seeds == weight_seeds(0, key, 400)
    assert len(set(noisy.seeds)) == 400
    assert certificates[3].draws == 400


def test_reused_draws_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def reused(seed: int, key: int, draws: int) -> list[int]:
        return [draw % 10 for draw in range(draws)]

    monkeypatch.setattr(weight_distance, "weight_seeds", reused)
    with pytest.raises(FuzzsmoothError, match="390 of 400 samples reuse a weight draw"):
        certify(Noisy(TRIGGERED), statistics="fixed")
    assert len(certify(Noisy(TRIGGERED), None)) == 5, "the edit certificate does not need fresh weights"


def test_the_measured_recall_is_printed_with_the_condition() -> None:
    (plain,) = smoothed(TRIGGERED).certify(["a bad film"])[0].certificates
    (told,) = smoothed(TRIGGERED, localization_recall=0.976).certify(["a bad film"])[0].certificates
    assert plain.conditional_on == CONDITION
    assert told.conditional_on == (
        f"{CONDITION} (measured: the whole trigger was marked in 97.6 % of the triggered texts tried; whether"
        " the other marks stayed the same was not measured)"
    )
    assert told.rates["localization_recall"] == 0.976
    assert "localization_recall" not in plain.rates
    assert told.radius == plain.radius
