"""RS-Del: its votes are those of uniform deletion, its radii the closed forms of Theorem 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fuzzsmooth.certify import NOT_CERTIFIED, Majority, backward_radius, clopper_pearson_lower, forward_radius
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Answer, protect
from fuzzsmooth.defenses.rs_del import RsDel, RsDelOptions
from fuzzsmooth.models import AdditiveClassifier, CallableClassifier

WEIGHTS = dict.fromkeys(("good", "great"), 1.0) | {"bad": -1.0}


def radii(answer: Answer) -> dict[str, float]:
    """By threat, "backward" for insertions into the received text."""
    return {
        "backward" if one.direction == "backward" else one.threat: one.radius for one in answer.certificates
    }


def test_two_classes_share_alpha_on_all_draws() -> None:
    texts = ["good great good great good film", "good", "a film"]
    answers = RsDel(AdditiveClassifier(WEIGHTS), {"rate": 0.5, "draws": 500, "alpha": 0.01}).certify(texts)
    for answer, text in zip(answers, texts, strict=True):
        assert sum(answer.votes) == answer.passes == 500
        assert answer.winner == int(np.argmax(answer.votes))
        lower = Majority().lower(max(answer.votes), 500, 0.01)
        assert [one.p_lower for one in answer.certificates] == [pytest.approx(lower)] * 3
        assert all((one.alpha, one.draws) == (0.01, 500) for one in answer.certificates)
        length = len(text.split())
        if lower > 0.5:
            assert answer.label == answer.winner
            assert radii(answer) == {
                "edit": forward_radius(lower, 0.5, "edit"),
                "insert": forward_radius(lower, 0.5, "insert"),
                "backward": backward_radius(lower, 0.5, "insert", length=length),
            }
        else:
            assert (answer.label, answer.status) == (None, "abstain")
            assert set(radii(answer).values()) == {NOT_CERTIFIED}
    assert answers[0].label is not None
    assert answers[1].label is None, "a coin: the only telling word stays or goes"


def test_more_classes_select_on_a_tenth() -> None:
    classifier = CallableClassifier(lambda texts: np.tile([0.1, 0.2, 0.7], (len(texts), 1)), "abc")
    (answer,) = RsDel(classifier, {"draws": 200}).certify(["one two three"])
    assert answer.label == 2
    assert answer.votes == (0, 0, 200)
    assert answer.certificates[0].p_lower == pytest.approx(clopper_pearson_lower(180, 180, 0.001))


def key_word() -> CallableClassifier:
    return CallableClassifier(
        lambda texts: np.array([[0.0, 1.0] if "key" in text else [1.0, 0.0] for text in texts]), "ab"
    )


def test_votes_have_the_probability_of_deletion() -> None:
    """One telling word of three at rate .7: it stays with probability .3."""
    defended = RsDel(key_word(), {"rate": 0.7, "draws": 4000})
    for (answer,) in (defended.certify(["one key two"]), defended.predict(["one key two"])):
        assert answer.votes[1] / 4000 == pytest.approx(0.3, abs=0.03)


def test_predictions_draw_for_themselves_and_abstain_where_votes_are_close() -> None:
    defended = RsDel(key_word(), {"rate": 0.5, "draws": 400})
    (predicted,), (certified,) = defended.predict(["key"]), defended.certify(["key"])
    assert predicted.votes != certified.votes, "draws of their own"
    assert (predicted.label, predicted.status, predicted.certificates) == (None, "abstain", ())
    assert predicted.error > defended.options.alpha
    (sure,) = defended.predict(["key " * 12])
    assert (sure.label, sure.label_name, sure.passes) == (1, "b", 400)
    assert sure.error <= defended.options.alpha


def test_draws_are_addressed_by_the_text() -> None:
    defended = RsDel(AdditiveClassifier(WEIGHTS), {"rate": 0.5, "draws": 300})
    together = defended.certify(["good film bad", "great plot"])
    assert defended.certify(["great plot"]) == together[1:]


def test_it_does_not_search() -> None:
    defended = protect(AdditiveClassifier(WEIGHTS), "rs_del", draws=20)
    with pytest.raises(FuzzsmoothError, match="'rs_del' does not search"):
        defended.scan(["good film"])


@pytest.mark.parametrize("wrong", [{"rate": 1.0}, {"draws": 1}, {"alpha": 1.0}, {"seed": -1}, {"k": 3}])
def test_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(FuzzsmoothError):
        RsDelOptions.from_mapping(wrong)
