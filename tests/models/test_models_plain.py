"""Classifiers without PyTorch: callables and stubs."""

import itertools
import math

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import (
    AdditiveClassifier,
    CallableClassifier,
    Classifier,
    TriggerClassifier,
)


def test_a_callable_is_a_classifier():
    wrapped = CallableClassifier(lambda texts: [[0.25, 0.75] for _ in texts], ["no", "yes"], "mine")
    assert isinstance(wrapped, Classifier)
    np.testing.assert_array_equal(wrapped.probabilities(["a", "b"]), [[0.25, 0.75]] * 2)
    assert wrapped.probabilities([]).shape == (0, 2)
    other = CallableClassifier(lambda texts: texts, ["no", "yes"], "other")
    assert wrapped.fingerprint != other.fingerprint


def test_a_callable_gets_a_list_and_small_rounding_is_normalized():
    seen = []

    def function(texts):
        seen.append(type(texts))
        return np.array([[0.3333, 0.3333, 0.3333]], dtype=np.float32)

    values = CallableClassifier(function, ["a", "b", "c"]).probabilities(("x",))
    assert seen == [list]
    np.testing.assert_allclose(values, 1 / 3, atol=1e-12)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([0.5, 0.5], "shape (2,), expected (1, 2)"),
        ([[0.2, 0.3, 0.5]], "shape (1, 3), expected (1, 2)"),
        ([[0.5, 0.5]] * 2, "shape (2, 2), expected (1, 2)"),
        ([[0.5, float("nan")]], "not finite for text 0"),
        ([[float("inf"), 0.0]], "not finite for text 0"),
        ([[1.5, -0.5]], "negative probability for text 0"),
        ([[0.5, 0.6]], "sum to 1.1, not 1"),
        ([[0.0, 0.0]], "sum to 0, not 1"),
        ("positive", "did not return an array of numbers"),
        ([[0.5], [0.2, 0.3]], "did not return an array of numbers"),
        (None, "mine"),
    ],
)
def test_a_callable_with_a_bad_answer(answer, expected):
    wrapped = CallableClassifier(lambda texts: answer, ["no", "yes"], "mine")
    with pytest.raises(FuzzsmoothError) as caught:
        wrapped.probabilities(["text"])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [[], ["one"], ["same", "same"]])
def test_a_callable_needs_distinct_labels(labels):
    with pytest.raises(FuzzsmoothError, match="two distinct labels"):
        CallableClassifier(lambda texts: texts, labels)


def test_a_single_string_is_not_a_list_of_texts():
    with pytest.raises(FuzzsmoothError, match="got one string"):
        CallableClassifier(lambda texts: texts, ["a", "b"]).probabilities("text")


def test_additive():
    classifier = AdditiveClassifier({"good": 2.0, "bad": -1.0}, bias=0.5, labels=["n", "p"])
    assert isinstance(classifier, Classifier)
    texts = ["", "good", "good good bad", "unknown words"]
    values = classifier.probabilities(texts)
    np.testing.assert_allclose(
        values[:, 1], [1 / (1 + math.exp(-x)) for x in (0.5, 2.5, 3.5, 0.5)], rtol=1e-14
    )
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-15)
    extreme = AdditiveClassifier({"up": 1e4}).probabilities(["up", "up up"])
    assert np.isfinite(extreme).all()
    with pytest.raises(FuzzsmoothError, match="two labels"):
        AdditiveClassifier({}, labels=["only"])


def test_trigger_acts_iff_all_units_are_present():
    base = AdditiveClassifier({"x": 1.0}, bias=-3.0)
    classifier = TriggerClassifier(base, ["cf", "mn"], target=1, confidence=0.9)
    for size in range(4):
        for units in itertools.product(["cf", "mn", "x"], repeat=size):
            text = " ".join(units)
            expected = [0.1, 0.9] if {"cf", "mn"} <= set(units) else base.probabilities([text])[0]
            np.testing.assert_allclose(classifier.probabilities([text])[0], expected, atol=1e-15)
    assert not classifier.is_triggered("cfmn")
    assert classifier.labels == base.labels
    assert classifier.fingerprint != base.fingerprint


@pytest.mark.parametrize(
    ("units", "target", "confidence", "expected"),
    [
        ([], 1, 0.9, "at least one unit"),
        (["a"], 2, 0.9, "expected 0 to 1"),
        (["a"], 0, 0.5, "expected more than"),
    ],
)
def test_trigger_checks_its_arguments(units, target, confidence, expected):
    with pytest.raises(FuzzsmoothError, match=expected):
        TriggerClassifier(AdditiveClassifier({}), units, target, confidence)
