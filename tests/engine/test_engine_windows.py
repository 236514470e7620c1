"""Defense "windows": the prediction is the procedure; certified texts keep their answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from engine_worlds import TEXTS, TRIGGERED, Recording, Rule, smoothed

from fuzzsmooth.certify import (
    MaskOracle,
    contiguous,
    contiguous_up_to,
    detect,
    most_passes,
    scattered,
    two_round_ablation,
)
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import protect
from fuzzsmooth.defenses.randomized import Randomized
from fuzzsmooth.models import AdditiveClassifier, TriggerClassifier
from fuzzsmooth.models.protocol import Classifier

MODEL = TriggerClassifier(AdditiveClassifier({"good": 1.0, "bad": -1.0}, bias=-0.3), ["cf"], 1)
VOCABULARY = ("good", "bad", "cf", "film")
FAMILIES = {
    "insert": contiguous_up_to(2),
    "edit": contiguous_up_to(2),
    "replace": contiguous([2]),
    "scattered-insert": scattered(2),
    "scattered-edit": scattered(2),
    "detect": contiguous_up_to(2),
}


def windows(classifier: Classifier, ablation: str = "insert", **options: Any) -> Randomized:
    settings = {"defense": "windows", "ablation": ablation, "reach": 2, "fuzzing": False} | options
    return smoothed(classifier, **settings)


def all_texts(longest: int) -> list[str]:
    return [
        " ".join(units)
        for length in range(longest + 1)
        for units in itertools.product(VOCABULARY, repeat=length)
    ]


def inserted(text: str, most: int) -> Iterator[str]:
    """Every text with one piece of at most ``most`` units inserted."""
    units = text.split()
    for size in range(most + 1):
        for place in range(len(units) + 1):
            for piece in itertools.product(VOCABULARY, repeat=size):
                yield " ".join((*units[:place], *piece, *units[place:]))


@pytest.mark.parametrize("ablation", FAMILIES)
def test_predictions_are_the_procedure(ablation: str) -> None:
    """Batched over texts, through the sampler: the same answers as text by text, mask by mask."""
    texts = all_texts(3)[::2] + TEXTS
    answers = windows(MODEL, ablation).predict(texts)
    seen = set()
    for text, answer in zip(texts, answers, strict=True):
        units = text.split()

        def ask(masks: Sequence[int], units: list[str] = units) -> list[int]:
            left = [" ".join(u for i, u in enumerate(units) if mask >> i & 1) for mask in masks]
            return MODEL.probabilities(left).argmax(axis=1).tolist()

        oracle = MaskOracle(ask, len(units), units=units)
        procedure = detect if ablation == "detect" else two_round_ablation
        expected = procedure(oracle, FAMILIES[ablation])
        assert answer.label == expected.label
        assert answer.status == ("alert" if expected.status == "alert" else "answered")
        assert dict(expected.votes) == {i: n for i, n in enumerate(answer.votes) if n}
        seen.add(expected.status)
    assert len(seen) >= 2


def test_certified_texts_are_answered_alike_after_every_insertion() -> None:
    """The deployed prediction on every text an attacker can make, trigger words included."""
    smooth, texts = windows(MODEL), [*all_texts(4)[-100:], "bad bad film bad bad"]
    certified = 0
    for text, answer in zip(texts, smooth.certify(texts), strict=True):
        (certificate,) = answer.certificates
        if certificate.radius < 2:
            continue
        certified += 1
        changed = list(inserted(text, 2))
        assert {one.label for one in smooth.predict(changed)} == {certificate.label}
    assert 5 < certified < 101


def test_a_certified_received_text_has_the_answer_of_its_original() -> None:
    """Backward certificates of block edits: whichever piece was inserted, the original has that answer."""
    smooth, checked = windows(MODEL, "edit", reach=1), 0
    texts = [*all_texts(4)[-256:], "bad bad film bad bad", "bad bad bad"]
    for text, answer in zip(texts, smooth.certify(texts), strict=True):
        main, back, forward = answer.certificates
        assert (main.threat, main.direction) == ("contiguous_edit", "symmetric")
        assert (back.threat, back.direction) == ("contiguous_insert", "backward")
        assert forward.direction == "forward"
        if main.radius < 1:
            continue
        units = text.split()
        originals = [" ".join((*units[:at], *units[at + 1 :])) for at in range(len(units))]
        assert {one.label for one in smooth.predict(originals)} == {main.label}
        checked += len(originals)
    assert checked > 20


@pytest.mark.parametrize("ablation", ["insert", "edit", "replace", "scattered-insert", "scattered-edit"])
def test_certificates_say_what_they_are(ablation: str) -> None:
    (answer,) = windows(MODEL, ablation).certify(["bad bad film bad bad bad bad"])
    for certificate in answer.certificates:
        assert certificate.method == "deterministic"
        assert certificate.guarantee == "proved"
        assert (certificate.alpha, certificate.seed, certificate.p_lower) == (0.0, None, None)
        assert certificate.model == MODEL.fingerprint
        assert certificate.radius == 2
        assert certificate.draws == answer.passes
        assert (
            ", with certainty; words are those that the changed text is cut into" in certificate.statement()
        )
    assert answer.statistics == "ablation"
    assert answer.label == 0


def test_detection_answers_or_raises_an_alarm() -> None:
    smooth = windows(MODEL, "detect")
    text = "bad bad film"
    sure, alert = smooth.certify([text, "good"])
    forward, backward = sure.certificates
    assert (forward.direction, backward.direction) == ("forward", "backward")
    assert forward.outcome == backward.outcome == "label_or_alert"
    assert "without raising an alarm" in forward.statement()
    answers = smooth.predict(list(inserted(text, 2)))
    assert {one.status for one in answers} == {"answered", "alert"}
    assert {one.label for one in answers if one.status == "answered"} == {sure.label} == {0}
    assert (alert.label, alert.status, alert.certificates[0].radius) == (None, "alert", -1)
    (told,) = smooth.predict(["good"])
    assert (told.label, told.label_name, told.score, told.status) == (None, None, 0.0, "alert")


def test_uncertified_texts_still_have_an_answer() -> None:
    (answer,) = windows(MODEL).certify(["good good"])
    assert answer.label == 0
    assert answer.certificates[0].radius == 0
    assert "no change is covered" in answer.certificates[0].statement()


def test_equal_remainders_and_texts_share_passes() -> None:
    recording = Recording(MODEL)
    (answer,) = windows(recording).certify(["bad " * 6])
    assert answer.passes == 3, "six, five and four times the same word"
    assert len(recording.texts) == 3


def test_neighbors_and_order_change_nothing() -> None:
    texts = all_texts(3)
    for ablation in ("insert", "detect", "scattered-edit"):
        smooth = windows(MODEL, ablation)
        together = smooth.certify(texts)
        assert smooth.certify(texts[::-1])[::-1] == together
        assert [windows(MODEL, ablation).certify([text])[0] for text in texts[::7]] == together[::7]


@pytest.mark.parametrize("ablation", FAMILIES)
def test_a_budget_is_kept_and_exceeding_it_is_said(ablation: str) -> None:
    texts = [" ".join(f"bad{index}" for index in range(9)), "bad bad", "cf bad film good bad good film"]
    for passes in (1, 5, 20):
        recording = Recording(MODEL)
        for answer in windows(recording, ablation, passes=passes).certify(texts):
            assert answer.passes <= passes
            if answer.status == "budget_exceeded":
                assert answer.label is None
                assert {one.radius for one in answer.certificates} == {-1}
        assert len(recording.texts) <= passes * len(texts)
    (long,) = windows(MODEL, ablation, passes=5).certify(texts[:1])
    assert long.status == "budget_exceeded"
    (told,) = windows(MODEL, ablation, passes=5).predict(texts[:1])
    assert (told.label, told.status) == (None, "budget_exceeded")


def test_long_texts_are_refused_before_their_deletions_are_listed() -> None:
    text = "bad " * 100_000
    assert windows(MODEL, "scattered-edit").certify([text])[0].status == "budget_exceeded"
    assert windows(MODEL, "scattered-edit").predict([text])[0].status == "budget_exceeded"


def test_a_budget_that_an_attacker_can_use_up_makes_it_a_label_or_an_alarm() -> None:
    text = " ".join(f"bad bad{index}" for index in range(4))
    needed = most_passes(contiguous_up_to(2), 10)
    for passes, outcome in ((needed, "label"), (needed - 1, "label_or_alert"), (None, "label")):
        (answer,) = windows(MODEL, passes=passes).certify([text])
        assert answer.certificates[0].outcome == outcome
        assert ("alarm" in answer.certificates[0].statement()) == (outcome == "label_or_alert")


def test_answers_inside_the_guard_band_certify_nothing() -> None:
    """One remainder is too close to call: no certificate, and no claim about the answer either."""
    close = AdditiveClassifier({"good": 1.0, "bad": -1.0, "x": 1.95})
    texts = ["bad bad x good bad", "bad bad bad"]
    plain, guarded = windows(close, reach=1).certify(texts), windows(close, reach=1, guard=0.1).certify(texts)
    told, same = (one.certificates[0].to_mapping() for one in (plain[1], guarded[1]))
    assert told.pop("rounding")["guard"] == 0
    assert same.pop("rounding")["guard"] == 0.1
    assert told == same
    assert plain[0].label is not None
    assert (guarded[0].label, guarded[0].status) == (None, "abstain")
    (told,) = windows(close, reach=1, guard=0.1).predict(texts[:1])
    assert told.label == windows(close, reach=1).predict(texts[:1])[0].label, "predictions decide"
    sure = windows(close, guard=0.1).certify(all_texts(3))
    for one, other in zip(sure, windows(close).certify(all_texts(3)), strict=True):
        assert one.certificates[0].radius <= other.certificates[0].radius


def test_the_certificate_survives_any_rounding_inside_the_guard_band() -> None:
    """The model answers anew, off by less than the guard, at every call: certified texts do not care."""
    generator = np.random.default_rng(0)

    class Rounding:
        labels, fingerprint = MODEL.labels, "rounding"
        deterministic = True  # but for rounding

        def probabilities(self, texts: Sequence[str]) -> np.ndarray:
            odds = np.log(MODEL.probabilities(texts))
            odds[:, 1] += generator.uniform(-0.45, 0.45, size=len(texts))
            rows = np.exp(odds)
            return rows / rows.sum(axis=1, keepdims=True)

    certified = wrong_without = 0
    for text in all_texts(3):
        (claim,) = windows(Rounding(), reach=1, guard=0.9).certify([text])
        if claim.certificates[0].radius < 1:
            continue
        certified += 1
        answers = windows(Rounding(), reach=1).predict(list(inserted(text, 1)))
        assert {one.label for one in answers} == {claim.label}
    assert certified > 3
    for text in all_texts(3):  # control: without the guard band a claim may rest on rounding
        (claim,) = windows(Rounding(), reach=1).certify([text])
        if claim.certificates[0].radius == 1:
            answers = windows(Rounding(), reach=1).predict(list(inserted(text, 1)))
            wrong_without += {one.label for one in answers} != {claim.label}
    assert wrong_without > 0


def test_flagged_types_are_removed_from_what_is_left() -> None:
    recording = Recording(TRIGGERED)
    text = "it was cf a bad film"
    (answer,) = windows(recording, fuzzing=True).certify([text])
    assert answer.label == 0
    windows_asked = [asked for asked in recording.texts if asked.startswith("it was")]
    assert windows_asked
    assert not any("cf" in asked for asked in windows_asked)
    with pytest.raises(FuzzsmoothError, match="unknown option 'fuzz_left'"):
        protect(TRIGGERED, "windows", fuzz_left="search")


def test_no_noise_is_used_and_none_is_needed() -> None:
    assert windows(MODEL).noise is None
    assert windows(MODEL).certify(["bad bad"])[0].label == 0
    with pytest.raises(FuzzsmoothError, match="unknown option 'sigma'"):
        protect(MODEL, "windows", sigma=0.5)
    three = windows(Rule(lambda text: len(text) % 3, classes=3), "detect").predict(["a b c d"])
    assert three[0].status in ("alert", "answered")
