"""A fixed number of noisy copies: the base classifier is their mixture, for predictions and certificates."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from defended import options_for
from fuzzsmooth.certify import exact_rate
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import defend
from fuzzsmooth.defenses.randomized import Randomized
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.protocol import WeightNoise

TEXT = "good bad film plot warm"
COPIES = {"sigma": 0.05, "noisy_copies": 3, "fuzzing": False, "rate": 0.5, "guard": 0.0}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    folder: Path = tmp_path_factory.mktemp("copies") / "tiny"
    return load_classifier(str(build_tiny("bert", folder, vocabulary=TEXT.split(), hidden=32, layers=2)))


def made(classifier: HuggingFaceClassifier, **changes: object) -> Randomized:
    defense = defend(classifier, options_for("deletion", **{**COPIES, **changes}))
    assert isinstance(defense, Randomized)
    return defense


def exact(classifier: HuggingFaceClassifier, seeds: list[int]) -> npt.NDArray[np.float64]:
    """The class probabilities of the text: every copy's answer to every mask, by their probabilities."""
    words, p = TEXT.split(), np.zeros(2)
    rate, noise = exact_rate(0.5), WeightNoise(0.05, None, copies=True)
    for kept in itertools.product((False, True), repeat=len(words)):
        ids = classifier.encode([" ".join(itertools.compress(words, kept))]).ids
        mass = rate ** kept.count(False) * (1 - rate) ** kept.count(True)
        for seed in seeds:
            label = classifier.logits(ids, noise=noise, seeds=[seed])[0].argmax()
            p[label] += mass / len(seeds)
    return p


def test_votes_are_of_the_mixture_of_the_copies(classifier: HuggingFaceClassifier) -> None:
    defense = made(classifier, draws=6000, statistics="fixed")
    seeds = defense.sampler.copy_seeds
    p = exact(classifier, seeds)
    assert 0.02 < p[0] < 0.98, "both classes have something to say"
    for votes in (
        np.array(defense.certify([TEXT])[0].votes) / 6000,
        np.array(made(classifier, copies=6000).predict([TEXT])[0].votes) / 6000,
    ):
        assert abs(votes - p).max() < 5 * (0.25 / 6000) ** 0.5
    other = exact(classifier, made(classifier, seed=3).sampler.copy_seeds)
    assert abs(other - p).max() > 0.01, "control: other copies are another classifier"
    assert seeds == made(classifier).sampler.copy_seeds != made(classifier, noisy_copies=4).sampler.copy_seeds


def test_bounds_hold_for_the_mixture(classifier: HuggingFaceClassifier) -> None:
    """Early stopping included: at alpha = .001 the bound stays below the exact probability of the label."""
    p = exact(classifier, made(classifier, seed=3).sampler.copy_seeds)
    assert p.max() > 0.65
    for statistics in ("fixed", "auto", "sequential", "group-sequential"):
        defense = made(classifier, seed=3, draws=2000, statistics=statistics)
        certificate = defense.certify([TEXT])[0].certificates[0]
        assert certificate.label == p.argmax()
        assert certificate.method == "monte_carlo"
        assert certificate.p_lower is not None
        assert 0.5 < certificate.p_lower <= p.max()


def test_a_copy_is_asked_about_a_remainder_once(classifier: HuggingFaceClassifier) -> None:
    defense = made(classifier, draws=3000, statistics="fixed")
    before = classifier.forward_count
    first = defense.certify([TEXT])[0]
    asked = classifier.forward_count - before
    assert asked <= 3 * 2 ** len(TEXT.split())
    assert defense.certify([TEXT])[0] == first
    assert classifier.forward_count - before == asked, "all of it is remembered"
    fresh = made(classifier, draws=3000, statistics="fixed", noisy_copies=None)
    before = classifier.forward_count
    fresh.certify([TEXT])
    assert classifier.forward_count - before == 3000, "control: fresh noise is asked every time"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sigma": 0.0}, "set sigma above 0"),
        ({"weight_distance": 0.5}, "needs fresh noise"),
        ({"noisy_copies": 0}, "noisy_copies must"),
    ],
)
def test_copies_that_prove_nothing_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        options_for("deletion", **{**COPIES, **wrong})
