"""Data under the classes of a model: the model's names, the model's order, nothing by position alone."""

from __future__ import annotations

from typing import Any

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Dataset, Example, Splits, align_splits


def splits(*labels: str) -> Splits:
    """A text of every class in the training part, and one of the last class to test."""
    train = [Example(f"a text of {name}", index) for index, name in enumerate(labels)]
    return Splits(
        Dataset("train.csv", labels, tuple(train), ("a bad row",), ("a note",)),
        Dataset("dev.csv", labels, tuple(train[-1:])),
    )


def named(dataset: Dataset) -> dict[str, str]:
    return {example.text: dataset.labels[example.label] for example in dataset}


@pytest.mark.parametrize("names", [("POSITIVE", "NEGATIVE"), ("positive", "negative")])
def test_names_decide_and_the_order_is_the_models(names: tuple[str, ...]) -> None:
    found = align_splits(splits("negative", "positive"), names, "m")
    assert found.train.labels == found.test.labels == names
    assert found.train.targets == [1, 0]
    assert found.test.targets == [0]
    assert named(found.train) == {"a text of negative": names[1], "a text of positive": names[0]}
    assert found.train.skipped == ("a bad row",)
    assert found.train.notes[0] == "a note"
    assert len(found.train.notes) == 1 + (names[0] == "POSITIVE")


def test_numbers_are_the_indices_of_the_models_names() -> None:
    found = align_splits(splits("0", "2"), ("neg", "neutral", "pos"), "m")
    assert (found.train.labels, found.train.targets) == (("neg", "neutral", "pos"), [0, 2])
    assert "0 is 'neg', 2 is 'pos'" in found.train.notes[1]
    assert "no text of the class neutral" in found.train.notes[2]


def test_a_model_without_names_takes_those_of_the_data_and_says_so() -> None:
    found = align_splits(splits("negative", "positive"), ("LABEL_0", "LABEL_1"), "m")
    assert (found.train.labels, found.train.targets) == (("negative", "positive"), [0, 1])
    assert "m: the model does not name its classes" in found.train.notes[1]
    assert "LABEL_0 is 'negative', LABEL_1 is 'positive'" in found.train.notes[1]
    assert align_splits(splits("0", "1"), ("LABEL_0", "LABEL_1"), "m").train.notes == ("a note",)


@pytest.mark.parametrize(
    ("labels", "names", "reason"),
    [
        (("a", "b"), ("neg", "pos"), "none of which is one of the classes neg, pos"),
        (("neg", "neutral", "pos"), ("neg", "pos"), "has the classes neutral, which the model m has not"),
        (("neg", "neutral", "pos"), ("LABEL_0", "LABEL_1"), "has 2 without names"),
        (("0", "1"), ("1", "2"), "may be names or indices"),
    ],
)
def test_other_classes_are_refused(labels: Any, names: Any, reason: str) -> None:
    with pytest.raises(FuzzsmoothError, match=reason):
        align_splits(splits(*labels), names, "m")
