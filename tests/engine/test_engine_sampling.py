"""The law of the randomized texts, and votes that depend on nothing but seed, text and draw."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from engine_worlds import CLEAN, TEXTS, TRIGGERED, Recording, Rule, smoothed
from scipy.stats import binom, chisquare

from defended import options_for
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.defenses.deletion import DeletionOptions
from fuzzsmooth.engine import sampler
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import represented

UNIQUE = "it was cf a bad film and the awful plot is dull"


def draws_of(text: str, model: Classifier = CLEAN, **options: Any) -> list[list[str]]:
    """The words left in every draw of a vote, which come after all that a search asks.

    A prediction of frs stops once its answer is settled; its certificate takes all copies.
    """
    recording = Recording(model)
    defended = smoothed(recording, **options)
    defended.certify([text]) if defended.name == "frs" else defended.predict([text])
    return [left.split() for left in recording.texts]


def plausible(successes: int, trials: int, probability: float) -> bool:
    """Whether a count lies inside the central 1 - 1e-6 of its binomial law."""
    law = binom(trials, probability)
    return bool(min(law.cdf(successes), law.sf(successes - 1)) > 5e-7)


def test_every_mask_has_the_probability_of_independent_coins() -> None:
    draws = draws_of("a b c", defense="deletion", fuzzing=False, rate=0.3, copies=4000)
    counts = Counter(" ".join(left) for left in draws)

    def expected(rate: float) -> list[float]:
        kept_masks = product((False, True), repeat=3)
        return [4000 * rate ** (3 - sum(kept)) * (1 - rate) ** sum(kept) for kept in kept_masks]

    masks = [
        " ".join(unit for unit, keep in zip("abc", kept, strict=True) if keep)
        for kept in product((False, True), repeat=3)
    ]
    assert set(counts) == set(masks)
    observed = [counts[mask] for mask in masks]
    assert chisquare(observed, expected(represented(0.3))).pvalue > 1e-3
    assert chisquare(observed, expected(0.35)).pvalue < 1e-6, "control: another rate is told apart"


def test_draws_are_independent_of_each_other_and_between_texts() -> None:
    settings: dict[str, Any] = {"defense": "deletion", "fuzzing": False, "rate": 0.5, "copies": 3000}
    one, two = (np.array(["a" in left for left in draws_of(text, **settings)]) for text in ("a b", "a c"))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.08
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.08


def test_the_vulnerable_area_is_randomized_at_the_high_rate_and_the_rest_at_the_low_one() -> None:
    scan = smoothed(TRIGGERED).scan([UNIQUE])[0]
    assert [span.text for span in scan.spans] == ["cf"]
    draws = draws_of(UNIQUE, TRIGGERED, rate_high=0.9, rate_low=0.2, copies=3000)[-3000:]
    for word in UNIQUE.split():
        kept = sum(word in left for left in draws)
        rate = 0.9 if word == "cf" else 0.2
        assert plausible(kept, 3000, 1 - rate), word
        assert not plausible(kept, 3000, rate), "control: the two rates are told apart"


def test_frs_scans_the_text_itself() -> None:
    recording = Recording(TRIGGERED)
    prediction = smoothed(recording, rate_high=0.9, rate_low=0.0, copies=200).certify([UNIQUE])[0]
    assert prediction.evaluations > 0
    assert [span.text for span in prediction.spans] == ["cf"]
    last = [left.split() for left in recording.texts[-200:]]
    assert all(set(UNIQUE.split()) - {"cf"} <= set(left) for left in last), "rate_low 0 keeps the rest"
    assert plausible(sum("cf" in left for left in last), 200, 0.1)


def test_without_fuzzing_frs_uses_the_uniform_rate_and_no_scan() -> None:
    draws = draws_of(UNIQUE, fuzzing=False, rate_uniform=0.6, copies=3000)
    assert len(draws) == 3000, "no evaluation was spent on a search"
    assert all(plausible(sum(word in left for left in draws), 3000, 0.4) for word in UNIQUE.split())


def test_masks_keep_the_length() -> None:
    options = {"noise": "mask", "rate_high": 0.9, "rate_low": 0.2, "copies": 1000}
    draws = draws_of(UNIQUE, TRIGGERED, **options)[-1000:]
    words = UNIQUE.split()
    assert all(len(left) == len(words) for left in draws)
    assert all(unit in (word, "[MASK]") for left in draws for unit, word in zip(left, words, strict=True))
    assert plausible(sum(left[2] == "[MASK]" for left in draws), 1000, 0.9)
    assert plausible(sum(left[0] == "[MASK]" for left in draws), 1000, 0.2)


@pytest.mark.parametrize("options", [{}, {"defense": "deletion", "draws": 30}, {"fuzzing": False}])
def test_votes_do_not_depend_on_order_batch_or_restart(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def votes(texts: list[str], **more: Any) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        smooth = smoothed(TRIGGERED, **options, **more)
        both = zip(smooth.predict(texts), smooth.certify(texts), strict=True)
        return [(prediction.votes, certification.votes) for prediction, certification in both]

    together = votes(TEXTS)
    assert votes(TEXTS) == together, "a restart"
    assert votes(TEXTS[::-1])[::-1] == together
    assert [votes([text])[0] for text in TEXTS] == together
    assert votes(TEXTS * 2) == together * 2
    monkeypatch.setattr(sampler, "_TOGETHER", 7)
    assert votes(TEXTS) == together, "draws in chunks"
    assert votes(TEXTS, seed=1) != together, "control: the seed matters"


def test_more_draws_only_add_to_the_first() -> None:
    few, many = (draws_of(UNIQUE, defense="deletion", fuzzing=False, copies=draws) for draws in (50, 200))
    assert many[:50] == few


def test_a_prediction_is_the_majority() -> None:
    present = Rule(lambda text: int("x" in text.split()))
    smooth = smoothed(present, fuzzing=False, rate_uniform=0.2, copies=500)
    (early,), (prediction,) = smooth.predict(["x y"]), smooth.certify(["x y"])
    assert (early.label, early.label_name, prediction.label) == (1, "class1", 1)
    assert sum(early.votes) == early.passes < 100, "it stops once the rest would hardly change it"
    assert sum(prediction.votes) == 500
    assert prediction.score == prediction.votes[1] / 500
    assert plausible(prediction.votes[1], 500, 0.8)
    assert (prediction.truncated, prediction.spans, prediction.evaluations) == (False, (), 0)


def test_ties_go_to_the_lower_class() -> None:
    present = Rule(lambda text: int("x" in text.split()))
    predictions = [
        smoothed(present, fuzzing=False, copies=2, seed=seed).predict(["x"])[0] for seed in range(20)
    ]
    ties = [prediction for prediction in predictions if prediction.votes == (1, 1)]
    assert ties
    assert all((tie.label, tie.score) == (0, 0.5) for tie in ties)


def test_how_many_draws_each_defense_takes() -> None:
    assert sum(smoothed(CLEAN, copies=7, draws=11).predict(["a film"])[0].votes) == 2
    assert sum(smoothed(CLEAN, copies=7, draws=11, doubt=0.0).predict(["a film"])[0].votes) == 4
    assert sum(smoothed(CLEAN, copies=7, draws=11).certify(["a film"])[0].votes) == 7
    certified = smoothed(CLEAN, defense="deletion", statistics="fixed", copies=7, draws=11)
    assert sum(certified.predict(["a film"])[0].votes) == 7
    assert sum(certified.certify(["a film"])[0].votes) == 11
    (short,) = smoothed(CLEAN, defense="deletion", copies=7, draws=11).certify(["a film"])
    assert (short.passes, short.statistics) == (4, "exact"), "by default all four deletions of two words"


def test_no_texts_and_progress() -> None:
    smooth = smoothed(TRIGGERED, defense="deletion", draws=20)
    assert smooth.predict([]) == smooth.certify([]) == smooth.scan([]) == []
    for work in (smooth.predict, smooth.certify, smooth.scan):
        done: list[int] = []
        work(TEXTS, advance=done.append)
        assert sum(done) == len(TEXTS)


def test_misuse_is_one_sentence() -> None:
    smooth = smoothed(CLEAN)
    for work in (smooth.predict, smooth.certify, smooth.scan):
        with pytest.raises(FuzzsmoothError, match="expected a list of texts, got one string"):
            work("a film")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate_low": 0.9, "rate_high": 0.5}, "rate_low <= rate_high must hold"),
        ({"rate": 1.0, "defense": "deletion"}, "rate must lie strictly between 0 and 1"),
        ({"rate_uniform": 0.0}, "rate_uniform must lie strictly"),
        ({"alpha": 0.0}, "alpha must lie strictly"),
        ({"copies": 0}, "copies must lie between 1 and 1,000,000, got 0"),
        ({"draws": 0, "defense": "deletion"}, "draws must lie between 1 and 1,000,000"),
        ({"sigma": -0.1}, "sigma must lie between 0 and 100"),
        ({"sigma": float("nan")}, "sigma must lie between 0 and 100"),
        ({"seed": -1}, "seed must lie between 0 and 18,446"),
        ({"seed": 2**64}, "seed must lie between 0 and 18,446"),
        ({"sigma": float("inf")}, "sigma must lie between 0 and 100"),
        ({"rate": 1 - 1e-12, "defense": "deletion"}, "rate must stay below 1 as drawn"),
        ({"top_layers": -1}, "top_layers must lie between 0 and 10,000"),
        ({"defense": "fast"}, "unknown defense 'fast'"),
        ({"unit": "line"}, "'line' is not one of 'word'"),
    ],
)
def test_options_are_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        options_for(**wrong)


def test_options_round_trip() -> None:
    for kind in DEFENSES.all().values():
        options = kind.options_type()
        assert kind.options_type.from_mapping(options.to_mapping()) == options
    options = DeletionOptions.from_mapping({"search": {"budget": 9}})
    assert options.search.budget == 9
    assert DeletionOptions.from_mapping(options.to_mapping()) == options
    with pytest.raises(FuzzsmoothError, match=r"options\.search: unknown option 'budgets'; did you mean"):
        DeletionOptions.from_mapping({"search": {"budgets": 9}})
