"""Certificates: their statistics, their radii, their wording."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from engine_worlds import CLEAN, TEXTS, TRIGGERED, Recording, Rule, smoothed

from defended import options_for
from fuzzsmooth.certify import (
    CONDITION,
    NOT_CERTIFIED,
    Certificate,
    Majority,
    backward_radius,
    clopper_pearson_lower,
    conditional_radius,
    forward_radius,
)
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import defend
from fuzzsmooth.models import CallableClassifier
from fuzzsmooth.noise.text import represented
from fuzzsmooth.search import SearchOptions

SAFE = Rule(lambda text: int("g" in text))
SAFE_TEXT = "g1 g2 g3 g4 g5 g6 g7 g8"  # one of eight units is enough
EMPTY = Rule(lambda text: int(text != ""))  # class 0 with exactly the probability that all is deleted
ALPHA = 0.05


def bounds(rate: float, texts: int, **options: Any) -> list[Certificate]:
    settings = {"defense": "deletion", "fuzzing": False, "draws": 40, "alpha": ALPHA, "rate": rate} | options
    smooth = smoothed(EMPTY, statistics="fixed", **settings)
    return [answer.certificates[0] for answer in smooth.certify([f"w{index}" for index in range(texts)])]


def most(trials: int, sigmas: int = 4) -> float:
    """The most failures that chance explains, four standard deviations up."""
    return trials * ALPHA + sigmas * (trials * ALPHA * (1 - ALPHA)) ** 0.5


def test_the_lower_bound_fails_with_probability_alpha_at_most() -> None:
    true = represented(0.7)
    found = bounds(0.7, 800)
    failures = sum(
        certificate.p_lower > (true if certificate.counts[0] > certificate.counts[1] else 1 - true)
        for certificate in found
    )
    assert 0 < failures <= most(800)
    assert forward_radius(true, 0.7, "edit") == 0
    assert sum(certificate.radius > 0 for certificate in found) <= most(800), "radii above the true one"
    careless = sum(np.array(certificate.counts).max() / 40 > true for certificate in found)
    assert careless > most(800), "control: the plain share of the votes fails far more often"


def test_a_label_at_the_boundary_is_certified_with_probability_alpha_at_most() -> None:
    """At probability one half neither class is the smoothed answer: every certificate there is wrong."""
    found = bounds(0.5, 800)
    wrong = sum(certificate.label is not None for certificate in found)
    assert 0 < wrong <= most(800)
    careless = sum(clopper_pearson_lower(max(certificate.counts), 40, ALPHA) > 0.5 for certificate in found)
    assert careless > 800 * ALPHA + 2 * (800 * ALPHA * (1 - ALPHA)) ** 0.5, (
        "control: choosing the label from the same votes at full alpha fails"
    )


def test_three_classes_select_with_a_tenth_and_bound_with_the_rest() -> None:
    rule = Rule(lambda text: min(len(text.split()), 2), classes=3)
    recording = Recording(rule)
    settings = {"defense": "deletion", "statistics": "fixed", "fuzzing": False, "draws": 100, "alpha": 0.01}
    smooth = smoothed(recording, rate=0.2, rivals="complement", **settings)
    answer = smooth.certify(["a b c"])[0]
    labels = [min(len(text.split()), 2) for text in recording.texts]
    assert len(labels) == 100
    assert answer.votes == tuple(labels.count(label) for label in range(3))
    chosen = int(np.bincount(labels[:10], minlength=3).argmax())
    certificate = answer.certificates[0]
    assert certificate.label == chosen == 2
    assert certificate.p_lower == pytest.approx(clopper_pearson_lower(labels[10:].count(2), 90, 0.01))


def test_one_draw_of_three_classes_selects_and_bounds_nothing() -> None:
    one = smoothed(Rule(lambda _: 0, classes=3), fuzzing=False, copies=1).certify(["a"])[0]
    assert (one.votes, one.label, one.status) == ((1, 0, 0), None, "abstain")
    two = smoothed(Rule(lambda _: 0, classes=3), fuzzing=False, copies=2).certify(["a"])[0]
    assert two.votes == (2, 0, 0)


def test_the_radii_are_those_of_the_bound() -> None:
    smooth = smoothed(SAFE, defense="deletion", statistics="fixed", draws=300, rate=0.7, alpha=0.01)
    for text in (SAFE_TEXT, SAFE_TEXT[:-3]):
        answer = smooth.certify([text])[0]
        edit, insert, back, deletion, mixed = answer.certificates
        p_lower = Majority().lower(max(answer.votes), 300, 0.01)
        assert edit.p_lower == pytest.approx(p_lower)
        rate, length = represented(0.7), len(text.split())
        assert edit.radius == forward_radius(p_lower, rate, "edit")
        assert insert.radius == forward_radius(p_lower, rate, "insert")
        assert back.radius == backward_radius(p_lower, rate, "insert", length=length) > insert.radius
        assert deletion.radius == forward_radius(p_lower, rate, "delete", length=length) == back.radius
        assert mixed.radius == edit.radius
        assert {(edit.radius, edit.radius), (insert.radius, 0), (0, deletion.radius)} <= {
            (more, less)
            for reach in mixed.frontier
            for more in range(reach[0] + 1)
            for less in range(reach[1] + 1)
        }
        assert [part.direction for part in answer.certificates] == [
            "symmetric",
            "forward",
            "backward",
            "forward",
            "forward",
        ]
        assert all(part.guarantee == "proved" and part.conditional_on is None for part in answer.certificates)
        assert all(dict(part.rates) == {"deletion": rate} for part in answer.certificates)
        assert (edit.draws, edit.seed, edit.model) == (300, 0, SAFE.fingerprint)


def test_a_unanimous_frs_vote_is_conditional_and_small() -> None:
    always = Rule(lambda _: 1)
    answer = smoothed(always, copies=20, rate_high=0.9, rate_low=0.1).certify(["a film"])[0]
    (certificate,) = answer.certificates
    assert certificate.guarantee == "conditional"
    assert certificate.conditional_on == CONDITION
    p_lower = Majority().lower(20, 20, 0.001)
    assert certificate.radius == conditional_radius(p_lower, represented(0.9))
    assert dict(certificate.rates) == {"high": represented(0.9), "low": represented(0.1)}
    assert (certificate.threat, certificate.direction) == ("trigger", "forward")
    assert answer.evaluations > 0, "it was searched"


def test_without_fuzzing_frs_is_uniform_and_proved() -> None:
    always = Rule(lambda _: 1)
    for noise, threat in (("delete", "edit"), ("mask", "substitute")):
        answer = smoothed(always, fuzzing=False, noise=noise, copies=200, rate_uniform=0.8).certify(
            ["a film"]
        )[0]
        (certificate,) = answer.certificates
        assert (certificate.guarantee, certificate.threat) == ("proved", threat)
        assert certificate.radius == forward_radius(clopper_pearson_lower(200, 200, 0.0005), 0.8, "edit") > 0
        assert dict(certificate.rates) == {noise: represented(0.8)}


def test_undecided_votes_abstain() -> None:
    answer = smoothed(EMPTY, defense="deletion", fuzzing=False, rate=0.5, draws=60).certify(["w1"])[0]
    assert (answer.label, answer.label_name) == (None, None)
    assert all(part.radius == NOT_CERTIFIED and part.abstained for part in answer.certificates)
    assert answer.to_json()["certificates"][0]["statement"].startswith("ABSTAIN")
    frs = smoothed(EMPTY, fuzzing=False, rate_uniform=0.5).certify(["w1"])[0]
    assert frs.label is None
    assert smoothed(EMPTY, fuzzing=False, rate_uniform=0.5).predict(["w1"])[0].label in (0, 1)


@pytest.mark.parametrize("defense", ["frs", "deletion"])
def test_results_are_json_with_statements(defense: str) -> None:
    smooth = smoothed(TRIGGERED, defense=defense, draws=200, copies=200, rate=0.7)
    for answer in smooth.certify(TEXTS):
        content = json.loads(json.dumps(answer.to_json(), allow_nan=False))
        assert content["votes"] == list(answer.votes)
        assert (content["evaluations"] == 0) == (defense == "deletion")
        for row, certificate in zip(content["certificates"], answer.certificates, strict=True):
            statement = row.pop("statement")
            assert Certificate.from_mapping(row | {"counts": tuple(row["counts"])}) == certificate
            assert statement == certificate.statement()
            assert statement.endswith(".")
            if not certificate.abstained:
                sampled = certificate.method == "monte_carlo"
                assert ("except with probability 0.001" in statement) == sampled
                assert statement.startswith("Conditional: provided that") == (defense == "frs")
    for prediction in smooth.predict(TEXTS):
        content = json.loads(json.dumps(prediction.to_json()))
        assert content["votes"] == list(prediction.votes)
        assert content["label_name"] in TRIGGERED.labels


def test_statements_say_what_is_covered() -> None:
    answer = smoothed(SAFE, defense="deletion", draws=1000, rate=0.7).certify([SAFE_TEXT])[0]
    edit, insert, back, deletion, mixed = (certificate.statement() for certificate in answer.certificates)
    assert edit.startswith("No sequence of up to 1 word edits")
    assert "anywhere in this text changes the smoothed model's majority answer" in edit
    assert insert.startswith("No insertion of up to 1 word")
    assert back.startswith("If up to")
    assert "majority answer to the original text was the same" in back
    assert deletion.startswith("No deletion of up to ")
    assert mixed.startswith("No combination of up to 1 insertions and 8 deletions of words anywhere")
    assert len({edit, insert, back}) == 3


def test_any_callable_can_be_smoothed_by_its_texts() -> None:
    calls: list[int] = []

    def function(texts: list[str]) -> list[list[float]]:
        calls.append(len(texts))
        return [[0.2, 0.8] if "good" in text else [0.9, 0.1] for text in texts]

    classifier = CallableClassifier(function, ["no", "yes"], "api")
    smooth = smoothed(classifier, search={"reward": "kl"}, copies=30)
    assert smooth.labels == ("no", "yes")
    assert smooth.predict(["a film"])[0].label_name == "no"
    assert smooth.certify(["a film"])[0].votes == (30, 0)
    assert calls


def test_parameter_noise_on_a_callable_is_one_sentence() -> None:
    classifier = CallableClassifier(lambda texts: [[0.5, 0.5]] * len(texts), ["no", "yes"])
    with pytest.raises(
        FuzzsmoothError, match="parameter noise needs a local Hugging Face model; set sigma=0"
    ):
        defend(classifier, options_for())


def test_missing_references_are_one_sentence() -> None:
    for defense in ("frs", "deletion"):
        with pytest.raises(FuzzsmoothError, match="needs clean reference texts; give references"):
            defend(CLEAN, options_for(defense=defense, sigma=0.0))
    kl = options_for(sigma=0.0, search=SearchOptions(reward="kl"))
    answer = defend(CLEAN, kl).predict(["a good film"])[0]
    assert answer.evaluations > 0
    assert defend(CLEAN, kl).scan(["a good film"])[0].label == 1
    with pytest.raises(FuzzsmoothError, match="need clean reference texts"):
        defend(CLEAN, options_for(defense="deletion", search=kl.search))
    without = defend(CLEAN, options_for(sigma=0.0, fuzzing=False))
    assert without.predict(["a good film"])[0].evaluations == 0
    with pytest.raises(FuzzsmoothError, match="needs clean reference texts"):
        without.scan(["a good film"])


def test_token_units_need_a_tokenizer() -> None:
    with pytest.raises(FuzzsmoothError, match="token units need a tokenizer"):
        defend(CLEAN, options_for(sigma=0.0, unit="token", fuzzing=False))


def test_a_scan_without_fuzzing_is_still_possible() -> None:
    scan = smoothed(TRIGGERED, fuzzing=False).scan([TEXTS[2]])[0]
    assert [span.text for span in scan.spans] == ["cf"]


def test_a_backdoor_is_overruled_in_both_modes() -> None:
    """The point of it all: the undefended answer is the attacker's, the smoothed one is not."""
    assert TRIGGERED.probabilities([TEXTS[2]])[0].argmax() == 1
    assert smoothed(TRIGGERED).predict([TEXTS[2]])[0].label == 0
    assert smoothed(TRIGGERED, defense="deletion", rate=0.5, draws=200).certify([TEXTS[2]])[0].label == 0
    plain = smoothed(TRIGGERED, fuzzing=False, rate_uniform=0.1).predict([TEXTS[2]])[0]
    assert plain.label == 1, "control: a low rate without the search is not enough"


def test_a_high_rate_of_one_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(FuzzsmoothError, match="rate_high must be at least 0 and below 1"):
        options_for(rate_high=1.0)
