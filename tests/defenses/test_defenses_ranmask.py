"""RanMASK: the largest radius that holds, sound against every substitution, and the right law of masks."""

from __future__ import annotations

import itertools
from math import comb
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fuzzsmooth.certify import NOT_CERTIFIED, Majority, clopper_pearson_lower
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.ranmask import RanMask, RanMaskOptions, ranmask_radius
from fuzzsmooth.models import CallableClassifier


def test_the_radius_is_the_largest_that_satisfies_the_inequality() -> None:
    """L = 20, 6 kept, p = .95: 1. The published code returns 2, the first radius that fails."""
    assert ranmask_radius(0.95, 20, 6) == 1
    for length, kept, p_lower in itertools.product((1, 5, 20), (1, 2, 6), (0.4, 0.5, 0.6, 0.9, 0.999, 1.0)):
        if kept > length:
            continue
        holds = [
            p_lower - (1 - comb(length - size, kept) / comb(length, kept)) > 0.5 + 1e-9
            for size in range(length + 1)
        ]
        expected = max((size for size, ok in enumerate(holds) if ok), default=-1)
        assert ranmask_radius(p_lower, length, kept) == expected


def exact(rule: dict[tuple[str, ...], int], units: tuple[str, ...], kept: int) -> float:
    """Probability of class 1 over all masks."""
    chosen = list(itertools.combinations(range(len(units)), kept))
    masked = [tuple(u if i in keep else "_" for i, u in enumerate(units)) for keep in chosen]
    return float(np.mean([rule[copy] for copy in masked]))


@pytest.mark.parametrize(("letters", "length", "kept"), [("abc", 4, 1), ("ab", 6, 1), ("ab", 6, 2)])
def test_no_substitution_within_the_radius_changes_the_vote(letters: str, length: int, kept: int) -> None:
    """Random base classifiers, all texts of a small vocabulary, exact probabilities."""
    rng, texts = np.random.default_rng(kept), list(itertools.product(letters, repeat=length))
    copies = list(itertools.product(f"{letters}_", repeat=length))
    checked = changed_beyond = 0
    for _ in range(20):
        share = rng.uniform(0.6, 1)
        rule = {copy: int(rng.random() < share) for copy in copies}
        probability = {text: exact(rule, text, kept) for text in texts}
        for text in texts[::3]:
            radius = ranmask_radius(probability[text], length, kept)
            for other in texts:
                distance = sum(a != b for a, b in zip(text, other, strict=True))
                if distance <= radius:
                    checked += distance > 0
                    assert probability[other] > 0.5
                changed_beyond += radius >= 0 and distance > radius and probability[other] <= 0.5
    assert checked > 100
    assert changed_beyond > 0  # negative control: beyond the radius the vote does change


def marked(texts: list[str]) -> np.ndarray:
    return np.array([[0.1, 0.9] if "good" in text else [0.9, 0.1] for text in texts])


class Tokenized(CallableClassifier):
    """A classifier of strings that tells the mask of its tokenizer."""

    def __init__(self, mask: str | None, function: Any = marked) -> None:
        super().__init__(function, ["bad", "good"])
        self.tokenizer = SimpleNamespace(mask_token=mask)


def test_a_vote_over_masks_certifies_what_does_not_hang_on_one_word() -> None:
    asked: list[str] = []

    def function(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return marked(texts)

    defended = RanMask(Tokenized("<mask>", function), {"rate": 0.5, "draws": 400})
    words = " ".join(["good"] * 10)
    sure, unsure = defended.certify([words, "good " + "x " * 9])
    (certificate,) = sure.certificates
    assert sure.label == certificate.label == 1
    assert certificate.p_lower == pytest.approx(Majority().lower(400, 400, 0.001))
    assert certificate.radius == ranmask_radius(certificate.p_lower, 10, 5)
    assert certificate.radius == 0  # half of the masks touch any one word
    assert (certificate.threat, certificate.direction) == ("substitute", "symmetric")
    assert (certificate.guarantee, certificate.alpha, dict(certificate.rates)) == (
        "proved",
        0.001,
        {"mask": 0.5},
    )
    assert (unsure.label, unsure.status) == (None, "abstain")
    assert unsure.certificates[0].radius == NOT_CERTIFIED
    assert all(text.split().count("<mask>") == 5 for text in asked)
    assert defended.certify([words]) == [sure]  # addressed draws


def test_few_masks_withstand_substitutions() -> None:
    (answer,) = RanMask(Tokenized("[MASK]"), {"rate": 0.9, "draws": 1000}).certify(["good " * 30])
    (certificate,) = answer.certificates
    assert certificate.radius == ranmask_radius(certificate.p_lower or 0, 30, 3) == 5
    assert "substitution" in certificate.statement()


def test_every_choice_of_kept_words_is_equally_likely() -> None:
    """One telling word of four, two of which stay: it is read with probability one half."""
    defended = RanMask(Tokenized("[MASK]"), {"rate": 0.5, "draws": 4000})
    for place in range(4):
        words = ["x"] * 4
        words[place] = "good"
        for (answer,) in (defended.certify([" ".join(words)]), defended.predict([" ".join(words)])):
            assert answer.votes[1] / 4000 == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("alpha", [0.001, 0.2])
def test_two_classes_share_alpha_on_all_draws(alpha: float) -> None:
    (answer,) = RanMask(Tokenized("[MASK]"), {"rate": 0.5, "draws": 300, "alpha": alpha}).certify(["good x"])
    (certificate,) = answer.certificates
    assert certificate.p_lower == pytest.approx(Majority().lower(max(answer.votes), 300, alpha))


def test_more_classes_select_on_a_tenth() -> None:
    classifier = CallableClassifier(lambda texts: np.tile([0.1, 0.2, 0.7], (len(texts), 1)), "abc")
    (answer,) = RanMask(classifier, {"draws": 200}).certify(["one two three"])
    assert (answer.label, answer.votes) == (2, (0, 0, 200))
    assert answer.certificates[0].p_lower == pytest.approx(clopper_pearson_lower(180, 180, 0.001))


def test_an_empty_text_and_a_model_without_masks() -> None:
    always = Tokenized("[MASK]", lambda texts: np.tile([0.2, 0.8], (len(texts), 1)))
    (answer,) = RanMask(always, {"draws": 100}).certify([""])
    assert (answer.label, answer.certificates[0].radius) == (1, 0)
    with pytest.raises(FuzzsmoothError, match="no mask token"):
        RanMask(Tokenized(None), {})


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": 1.0}, {"draws": 1}, {"alpha": 0.0}, {"seed": -1}])
def test_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(FuzzsmoothError):
        RanMaskOptions.from_mapping(wrong)


@pytest.mark.parametrize("arguments", [(1.2, 5, 2), (0.9, 5, 6)])
def test_a_radius_of_nonsense_is_refused(arguments: tuple[float, int, int]) -> None:
    with pytest.raises(FuzzsmoothError):
        ranmask_radius(*arguments)
