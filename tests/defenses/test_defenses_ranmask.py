"""RanMASK: the largest radius that holds, sound against every substitution, and the right law of masks."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import RanMask, VoteOptions, ranmask_radius
from fuzzsmooth.models import CallableClassifier


class Tokenizer:
    mask_token = "[MASK]"


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


def test_a_vote_over_masks_certifies_what_does_not_hang_on_one_word() -> None:
    asked: list[str] = []

    def function(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.array([[0.1, 0.9] if "good" in text else [0.9, 0.1] for text in texts])

    classifier = CallableClassifier(function, ["bad", "good"])
    defense = RanMask(classifier, VoteOptions(rate=0.5, draws=400), Tokenizer())
    words = " ".join(["good"] * 10)
    sure, unsure = defense.certify([words, "good " + "x " * 9])
    assert sure.label == 1
    assert sure.radii == {"substitute": ranmask_radius(sure.p_lower or 0, 10, 5)}
    assert sure.radii["substitute"] == 0  # half of the masks touch any one word
    assert unsure.radii == {}
    assert all(text.split().count("[MASK]") == 5 for text in asked)
    assert len(asked) == len(set(asked)) < 800  # equal copies of a text are asked about once
    assert defense.certify([words]) == [sure]  # addressed draws


def test_an_empty_text_and_a_model_without_masks() -> None:
    classifier = CallableClassifier(lambda texts: np.tile([0.2, 0.8], (len(texts), 1)), ["bad", "good"])
    answer = RanMask(classifier, VoteOptions(draws=100), Tokenizer()).certify([""])[0]
    assert (answer.label, answer.radii) == (1, {"substitute": 0})
    with pytest.raises(FuzzsmoothError, match="no mask token"):
        RanMask(classifier, VoteOptions(), object())


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": 1.0}, {"draws": 1}, {"alpha": 0.0}, {"seed": -1}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(FuzzsmoothError):
        VoteOptions.from_mapping(wrong)


@pytest.mark.parametrize("arguments", [(1.2, 5, 2), (0.9, 5, 6)])
def test_a_radius_of_nonsense_is_refused(arguments: tuple[float, int, int]) -> None:
    with pytest.raises(FuzzsmoothError):
        ranmask_radius(*arguments)
