"""Rates by length: the rule, how it is chosen, what its certificates say, and what cannot go with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from defended import options_for
from fuzzsmooth.certify import Certificate
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Defense, defend
from fuzzsmooth.engine.length_rates import LengthOptions, kept_for, length_rates
from fuzzsmooth.noise.text import represented
from table_classifier import TableClassifier

LENGTHS = [1, 3, 5, 8, 13, 21, 34, 55]


def made(**options: Any) -> Defense:
    table = TableClassifier({}, (0.0, 1.0))
    return defend(table, options_for("deletion", fuzzing=False, **options))


@pytest.mark.parametrize("rate", [0.8, 0.85, 0.9, 0.95])
def test_the_mean_rate_over_the_training_texts_is_the_one_asked_for(rate: float) -> None:
    kept = kept_for(LENGTHS, rate, 0.8, 0.95)
    mean = np.mean([min(0.95, max(0.8, 1 - kept / length)) for length in LENGTHS])
    assert mean == pytest.approx(rate, abs=0.002)
    again = kept_for(LENGTHS[::-1], rate, 0.8, 0.95)
    assert kept == again, "a function of the lengths, whatever their order"


def test_rates_are_those_of_coins() -> None:
    rates = length_rates(1.7, 0.8, 0.95)
    assert all(rate == represented(rate) for rate in rates.rates)
    assert rates.rate(11) == represented(1 - 1.7 / 11)


def test_a_certificate_names_the_rule_and_comes_back_from_json() -> None:
    answer = made(kept_units=2, draws=200).certify(["a good film of the year it is one for all of us"])[0]
    for certificate in answer.certificates:
        assert certificate.rates == {
            "deletion": represented(1 - 2 / 13),
            "kept": 2,
            "lowest": represented(0.8),
            "highest": represented(0.95),
        }
        assert "of the model smoothed at rates by length" in certificate.statement()
        assert Certificate.from_json(certificate.to_json()) == certificate
    plain = made(draws=200).certify(["a good film"])[0]
    assert "rates by length" not in plain.certificates[0].statement()


def test_the_threats_are_those_of_one_rate() -> None:
    text = ["a good film of the year"]
    told = [(one.threat, one.direction) for one in made(kept_units=2).certify(text)[0].certificates]
    assert told == [(one.threat, one.direction) for one in made().certify(text)[0].certificates]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates_by_length": True}, "chosen on training texts, by 'protect'"),
        ({"kept_units": 2.0, "rate_short": 0.96}, "rate_short <= rate_long"),
        ({"kept_units": 2.0, "rate_long": 1.0}, "rate_long must"),
        ({"kept_units": 2.0, "rate_long": 1 - 1e-12}, "must stay below 1 as drawn"),
        ({"kept_units": 2.0, "rate_long": 0.9999}, "more than 10,000 units"),
        ({"kept_units": 2.0, "sigma": 0.1, "weight_distance": 0.5}, "certified at one rate"),
    ],
)
def test_what_makes_no_rule_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        made(**options)


def test_what_cannot_be_chosen_is_refused() -> None:
    wanted = LengthOptions(rates_by_length=True, rate=0.9)
    with pytest.raises(FuzzsmoothError, match="there are none"):
        wanted.chosen_on([])
    with pytest.raises(FuzzsmoothError, match="mean rate must lie between"):
        wanted.replace(rate=0.5).chosen_on(["a good film"])
    with pytest.raises(FuzzsmoothError, match="chosen for words"):
        wanted.replace(unit="character").chosen_on(["a good film"])
    given = wanted.replace(kept_units=3.0)
    assert given.chosen_on(["a good film"]) == given, "what is given is not chosen"
