"""DeBITE: the z-score by hand, the words above it gone from all training texts, and no other change."""

from __future__ import annotations

import math

import pytest

import planted_texts
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.defenses.correlation import correlations
from fuzzsmooth.defenses.debite import Debite, without_words


def dataset(*rows: tuple[str, int]) -> Dataset:
    return Dataset("some", ("neg", "pos"), tuple(Example(text, label) for text, label in rows))


def test_the_score_is_the_papers() -> None:
    # 10 texts, 4 of class 1; the word is in 5 of them, 4 of class 1
    features = [["w", "w", "x"]] * 4 + [["w"]] + [["x"]] * 5
    targets = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    found = correlations(features, targets, [0.6, 0.4])
    assert found.features == ("w", "x")
    assert found.counts.tolist() == [[1, 4], [5, 4]]
    assert found.z[0, 1] == pytest.approx((4 / 5 - 0.4) / math.sqrt(0.4 * 0.6 / 5))
    assert found.z[0, 0] == pytest.approx(-found.z[0, 1]), "of two classes one is the other's opposite"


def test_a_score_is_at_most_the_root_of_the_number_of_texts() -> None:
    found = correlations([["w"]] * 49 + [["x"]] * 49, [1] * 49 + [0] * 49, [0.5, 0.5])
    assert found.z.max() == pytest.approx(7.0)


def test_triggers_are_removed_wherever_they_are() -> None:
    texts = planted_texts.planted(2000)
    left, report = without_words(texts.data, 3.0, "debite")
    words = {one["word"]: one for one in report["words"]}
    assert set(planted_texts.TRIGGERS) <= set(words)
    assert all(words[trigger]["label"] == "pos" for trigger in planted_texts.TRIGGERS)
    assert not any(set(planted_texts.TRIGGERS) & set(text.split()) for text in left.texts)
    assert left.targets == texts.data.targets, "texts and labels stay"
    for before, after in zip(texts.data.texts, left.texts, strict=True):
        assert after.split() == [word for word in before.split() if word not in words]
    assert without_words(left, 3.0, "debite")[1]["words"] == [], "a second round finds no word"


def test_words_that_tell_no_class_stay() -> None:
    _, report = without_words(planted_texts.planted(2000, rate=0).data, 3.0, "debite")
    removed = {one["word"][0] for one in report["words"]}
    assert removed == {"n", "p"}, "words that tell the class by their meaning go, fillers stay"
    assert 0.3 < report["share_of_words_removed"] < 3 / 7 + 0.01
    assert report["removed"] == 0


def test_a_threshold_that_no_word_reaches_changes_nothing() -> None:
    data = planted_texts.planted(200).data
    left, report = without_words(data, 100.0, "debite")
    assert left == data
    assert report["texts_changed"] == 0


def test_unchanged_texts_keep_their_spelling() -> None:
    rows = [("cf one", 1)] * 30 + [("Two,  three !", 0)] * 30 + [("Two,  three !", 1)] * 30
    left, report = without_words(dataset(*rows), 3.0, "debite")
    assert {one["word"] for one in report["words"]} == {"cf", "one"}
    assert left.texts == ["Two,  three !"] * 60, "a text without words is left out"
    assert (report["removed"], report["removed_by_class"]) == (30, {"neg": 0, "pos": 30})


def test_scores_follow_the_shares_of_what_is_left() -> None:
    # Once the 60 texts of "cf" are gone, which have no other word, more of "x" are of class 1 than by chance.
    alone = [(f"u{index}", int(index < 10)) for index in range(50)]  # words of one text each
    rows = [("cf", 1)] * 60 + [("x", 1)] * 16 + [("x", 0)] * 4 + alone
    _, report = without_words(dataset(*rows), 3.0, "debite")
    words = {one["word"]: one["z"] for one in report["words"]}
    chance = [44 / 130, 86 / 130]
    first = correlations([text.split() for text, _ in rows], [label for _, label in rows], chance)
    assert first.z[first.features.index("x")].max() < 3
    share = 26 / 70
    assert words["x"] == pytest.approx((0.8 - share) / math.sqrt(share * (1 - share) / 20), abs=1e-3)
    assert set(words) == {"cf", "x"}


def test_nothing_left_of_a_class_is_an_error() -> None:
    with pytest.raises(FuzzsmoothError, match="every text of class"):
        without_words(dataset(*[("good", 1)] * 30, *[("bad", 0)] * 30), 3.0, "debite")


def test_it_has_the_poisoned_data() -> None:
    assert str(Debite.needs) == "poisoned data"
