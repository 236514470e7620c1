"""Certified deletion from end to end: real fuzzing, exact probabilities, every neighbor.

The base classifier has known answers and the fuzzer is the real one, so the smoothed classifier is computed
exactly: by summing over all deletion masks of all short texts. What the certificates claim is then held
against every text within reach, the attacker's insertions included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from guarantee_universe import Universe, uniform_law, universe, worst_probability
from scipy.stats import binom

from defended import options_for
from fuzzsmooth.certify import backward_radius, exact_rate, forward_radius, radius
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses import defend
from fuzzsmooth.defenses.randomized import Randomized
from fuzzsmooth.models import AdditiveClassifier, TriggerClassifier
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import References, SearchOptions

Labels = npt.NDArray[np.int64]
VOCABULARY = ("good", "bad", "cf")
RATES = (0.3, 0.5, 0.7, 0.8, 0.9)
REFERENCES = References(("bad " * 6, "good " * 6), (0, 1), "")


def base(kind: str) -> Classifier:
    """Sentiment words that pull, and a trigger that forces class 1, alone or as a pair."""
    clean = AdditiveClassifier({"good": 1.0, "bad": -1.0}, bias=-0.3)
    return {
        "clean": clean,
        "word": TriggerClassifier(clean, ["cf"], 1),
        "pair": TriggerClassifier(clean, ["cf", "good"], 1),
        "touchy": TriggerClassifier(AdditiveClassifier({}, bias=-1.0), ["cf"], 1),
    }[kind]


def smoothed(kind: str, fuzz: str, rate: float, **options: Any) -> Randomized:
    """Defense "deletion" with a deterministic search: each segment is tried once, by deleting it."""
    settings = options_for(
        defense="deletion",
        sigma=0.0,
        rate=rate,
        fuzzing=fuzz != "none",
        fuzz_left="search" if fuzz == "search" else "types",
        search=SearchOptions(references=2, budget=40),
        **({"statistics": "fixed"} | options),
    )
    made = defend(base(kind), settings, REFERENCES)
    assert isinstance(made, Randomized)
    return made


@cache
def answers(kind: str, fuzz: str, longest: int) -> Labels:
    """What fuzzer and base classifier together answer to every string, if it is what deletion has left."""
    space = universe(3, longest)
    left = [tuple(VOCABULARY[unit] for unit in text) for text in space.texts]
    protected = smoothed(kind, fuzz, 0.5)
    fuzzer = protected.sampler.fuzzer
    if fuzzer is not None:
        left = fuzzer(left, [generator(0, "any", index) for index in range(len(left))])
    labels: Labels = protected.classifier.probabilities([" ".join(units) for units in left]).argmax(axis=1)
    return labels


@cache
def law(longest: int, rate: float) -> npt.NDArray[np.float64]:
    return uniform_law(universe(3, longest), exact_rate(rate))


def probabilities(kind: str, fuzz: str, longest: int, rate: float) -> npt.NDArray[np.float64]:
    """Exact p_c of every text, shape (texts, 2)."""
    exact = law(longest, rate) @ np.eye(2)[answers(kind, fuzz, longest)]
    return np.minimum(exact, 1.0)  # sums of masks may round above


Reach = Callable[[Universe, npt.NDArray[np.int64]], npt.NDArray[np.bool_]]
"""(universe, radius of each text) to the pairs (text, other text) that the radii cover."""


def edits(space: Universe, radii: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return (space.distance <= radii[:, None]) & (space.distance > 0)


def insertions(space: Universe, radii: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return (space.source == 0) & (space.target > 0) & (space.target <= radii[:, None])


def undone(space: Universe, radii: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Originals from which at most r insertions made the received text."""
    return (space.target == 0) & (space.source > 0) & (space.source <= radii[:, None])


def check(space: Universe, p: npt.NDArray[np.float64], radii: list[int], reach: Reach) -> tuple[int, int]:
    """How many covered pairs there are, and in how many the smoothed label is not the certified one."""
    covered = reach(space, np.array(radii))
    kept = p[:, p.argmax(axis=1)].T  # [text, other]: the other's probability of the text's label
    return int(covered.sum()), int((covered & (kept <= 0.5)).sum())


def certified_radii(
    space: Universe, p: npt.NDArray[np.float64], rate: float
) -> list[tuple[list[int], Reach]]:
    top = p.max(axis=1)
    lengths = space.lengths.tolist()
    back = [
        backward_radius(value, rate, "insert", length=length)
        for value, length in zip(top, lengths, strict=True)
    ]
    return [
        ([forward_radius(value, rate, "edit") for value in top], edits),
        ([forward_radius(value, rate, "insert") for value in top], insertions),
        (back, undone),
    ]


def violations(longest: int, kinds: tuple[str, ...], rates: tuple[float, ...]) -> tuple[int, int]:
    space, checked, wrong = universe(3, longest), 0, 0
    for kind in kinds:
        for fuzz in ("none", "types", "search"):
            for rate in rates:
                p = probabilities(kind, fuzz, longest, rate)
                for radii, reach in certified_radii(space, p, rate):
                    pairs, broken = check(space, p, radii, reach)
                    checked, wrong = checked + pairs, wrong + broken
    return checked, wrong


def test_no_text_within_a_radius_has_another_label() -> None:
    checked, wrong = violations(4, ("clean", "word", "pair", "touchy"), RATES)
    assert wrong == 0
    assert checked >= 100_000


@pytest.mark.slow
def test_no_text_within_a_radius_has_another_label_longer() -> None:
    checked, wrong = violations(5, ("clean", "word", "pair", "touchy"), (*RATES, 0.6, 0.95))
    assert wrong == 0
    assert checked >= 1_000_000


def test_every_neighbor_of_short_texts_is_there() -> None:
    """Texts of up to two units and radii of up to two: no neighbor is longer than the universe's four."""
    space = universe(3, 4)
    reach = edits(space, np.full(len(space.texts), 2))
    empty, double = space.index[()], space.index[0, 1]
    assert reach[empty].sum() == 3 + 9, "all texts of one or two units"
    assert insertions(space, np.full(len(space.texts), 2))[double].sum() == len(
        {
            (*text[:at], unit, *text[at:])
            for text in [*grown((0, 1)), (0, 1)]
            for unit in range(3)
            for at in range(len(text) + 1)
        }
    )


def grown(text: tuple[int, ...]) -> set[tuple[int, ...]]:
    return {(*text[:at], unit, *text[at:]) for unit in range(3) for at in range(len(text) + 1)}


def test_fuzzing_raises_the_probabilities_that_it_may() -> None:
    """What fuzzing is for: triggered texts go back to their clean answer more often, at the same price."""
    space = universe(3, 4)
    bad_with_trigger = [space.index[text] for text in ((1, 1, 2), (1, 2, 1), (2, 1, 1, 1), (1, 1, 2, 1))]
    plain = probabilities("word", "none", 4, 0.3)[bad_with_trigger, 0]
    for fuzz in ("types", "search"):
        assert (probabilities("word", fuzz, 4, 0.3)[bad_with_trigger, 0] > plain + 0.2).all()


@pytest.mark.parametrize("rate", [0.5, 0.7, 0.8, 0.9])
def test_control_one_more_insertion_flips_the_worst_classifier(rate: float) -> None:
    """Class 0 unless a trigger unit is left: certain on the clean text, lost just past the radius."""
    p = probabilities("touchy", "none", 4, rate)
    space = universe(3, 4)
    clean = space.index[()]
    claimed = forward_radius(float(p[clean, 0]), rate, "insert")
    assert p[clean, 0] == pytest.approx(1)
    kept = [exact_rate(rate) ** count for count in range(claimed + 2)]
    assert all(value > 0.5 for value in kept[: claimed + 1])
    assert kept[claimed + 1] <= 0.5, "the claim could not be larger"
    for count in range(min(4, claimed + 1) + 1):
        assert p[space.index[(2,) * count], 0] == pytest.approx(kept[count])


def test_control_radii_one_larger_are_violated() -> None:
    space = universe(3, 4)
    for reach_index in range(3):
        broken = 0
        for kind in ("word", "touchy", "pair"):
            for rate in RATES:
                p = probabilities(kind, "none", 4, rate)
                radii, reach = certified_radii(space, p, rate)[reach_index]
                broken += check(space, p, [value + 1 for value in radii], reach)[1]
        assert broken > 0


@pytest.mark.parametrize("rate", [0.6, 0.8])
@pytest.mark.parametrize("p", [0.9, 0.97])
def test_control_the_worst_classifier_leaves_no_room(rate: float, p: float) -> None:
    """For one pair of texts at the distance after the radius, some classifier has the other label."""
    space = universe(5, 3)
    laws = uniform_law(space, exact_rate(rate))
    claimed = radius(p, exact_rate(rate), "edit")
    start = space.index[0, 1, 2]
    near = [index for index in range(len(space.texts)) if 0 < space.distance[start, index] <= claimed]
    beyond = [index for index in range(len(space.texts)) if space.distance[start, index] == claimed + 1]
    values = {index: worst_probability(laws[start], laws[index], [p])[0] for index in (*near, *beyond)}
    assert all(values[index] > 0.5 for index in near)
    assert min(values[index] for index in beyond) <= 0.5


@pytest.mark.parametrize("fuzz", ["none", "types", "search"])
@pytest.mark.parametrize("text", ["bad cf bad", "good cf", "cf", ""])
def test_the_votes_follow_the_exact_probabilities(fuzz: str, text: str) -> None:
    """The link between the code that draws and the law that was enumerated."""
    space = universe(3, 4)
    key = tuple(VOCABULARY.index(unit) for unit in text.split())
    true = float(probabilities("word", fuzz, 4, 0.5)[space.index[key], 0])
    answer = smoothed("word", fuzz, 0.5, draws=600, alpha=0.001).certify([text])[0]
    count = answer.votes[0]
    assert min(binom.cdf(count, 600, true), binom.sf(count - 1, 600, true)) > 1e-6
    for certificate in answer.certificates:
        if certificate.label is not None:
            exact = true if certificate.label == 0 else 1 - true
            assert certificate.p_lower is not None
            assert certificate.p_lower <= exact
            if certificate.direction != "backward":
                threat = "edit" if certificate.frontier else certificate.threat
                length = len(text.split())
                assert certificate.radius <= forward_radius(exact, 0.5, threat, length=length)
