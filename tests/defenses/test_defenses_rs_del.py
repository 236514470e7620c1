"""RS-Del: its votes are those of uniform deletion, its radii the closed forms of Theorem 1."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzsmooth.certify import Majority, backward_radius, clopper_pearson_lower, forward_radius
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import RsDel, VoteOptions
from fuzzsmooth.models import AdditiveClassifier, CallableClassifier

WEIGHTS = dict.fromkeys(("good", "great"), 1.0) | {"bad": -1.0}


def test_two_classes_share_alpha_on_all_draws() -> None:
    options = VoteOptions(rate=0.5, draws=500, alpha=0.01)
    texts = ["good great good great good film", "good", "a film"]
    answers = RsDel(AdditiveClassifier(WEIGHTS), options).certify(texts)
    for answer, text in zip(answers, texts, strict=True):
        assert sum(answer.counts) == answer.draws == 500
        assert answer.label == int(np.argmax(answer.counts))
        lower = Majority().lower(max(answer.counts), 500, 0.01)
        assert answer.p_lower == pytest.approx(lower)
        length = len(text.split())
        if lower > 0.5:
            assert answer.radii == {
                "edit": forward_radius(lower, 0.5, "edit"),
                "insert": forward_radius(lower, 0.5, "insert"),
                "backward": backward_radius(lower, 0.5, "insert", length=length),
            }
        else:
            assert answer.radii == {}
    assert answers[0].radii
    assert not answers[1].radii  # a coin: the only telling word stays or goes


def test_more_classes_select_on_a_tenth() -> None:
    classifier = CallableClassifier(lambda texts: np.tile([0.1, 0.2, 0.7], (len(texts), 1)), "abc")
    answer = RsDel(classifier, VoteOptions(draws=200)).certify(["one two three"])[0]
    assert answer.label == 2
    assert answer.counts == (0, 0, 200)
    assert answer.p_lower == pytest.approx(clopper_pearson_lower(180, 180, 0.001))


def test_votes_have_the_probability_of_deletion() -> None:
    """One telling word of three at rate .7: it stays with probability .3."""
    classifier = CallableClassifier(
        lambda texts: np.array([[0.0, 1.0] if "key" in text else [1.0, 0.0] for text in texts]), "ab"
    )
    answer = RsDel(classifier, VoteOptions(rate=0.7, draws=4000)).certify(["one key two"])[0]
    assert answer.counts[1] / 4000 == pytest.approx(0.3, abs=0.03)


def test_draws_are_addressed_by_the_text() -> None:
    defense = RsDel(AdditiveClassifier(WEIGHTS), VoteOptions(rate=0.5, draws=300))
    together = defense.certify(["good film bad", "great plot"])
    assert defense.certify(["great plot"]) == together[1:]


@pytest.mark.parametrize("wrong", [{"rate": 1.0}, {"draws": 1}, {"alpha": 1.0}, {"seed": -1}, {"k": 3}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(FuzzsmoothError):
        VoteOptions.from_mapping(wrong)
