"""Languages: found out from texts, frequencies claimed only where they are known, units that are counted."""

from __future__ import annotations

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import load_splits
from fuzzsmooth.text import boundary_strengths, rarity, segmenter, unit_remark
from fuzzsmooth.text.languages import AUTO, UNKNOWN, detected, settled, zipf
from fuzzsmooth.text.units import beginning, word_count

GERMAN = [
    "Das ist ein wirklich schönes Buch, aber die Übersetzung ist nicht gut.",
    "Ich habe es gern gelesen.",
]
CHINESE = ["丸子汤非常非常小一碗，炒米条也非常非常少", "不错，好吃不贵，送餐速度快 ok"]
JAPANESE = ["とても良い映画でした。もう一度見たいです。", "これは面白くない。"]
THAI = ["ภาพยนตร์เรื่องนี้ดีมาก", "ไม่ชอบเลย"]
RUSSIAN = ["Это очень хороший фильм, но книга мне понравилась больше."]
ARABIC = ["هذا الفيلم جيد جدا ولكن الكتاب أفضل من الفيلم"]
HEBREW = ["הסרט הזה טוב מאוד אבל הספר היה הרבה יותר טוב"]


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (GERMAN, "de"),
        (CHINESE, "zh"),
        (JAPANESE, "ja"),
        (THAI, UNKNOWN),
        (RUSSIAN, "ru"),
        (ARABIC, "ar"),
        (HEBREW, "he"),
        (["Le film est très beau, mais je n'ai pas aimé la fin."], "fr"),
        (["w1 w2 w3", "qqq zzxx vvbb"], UNKNOWN),
        (["😂 !!", ""], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_the_language_of_texts_is_found_out(texts: list[str], code: str) -> None:
    assert detected(texts) == code
    assert settled(AUTO, texts) == code
    assert settled("fr", texts) == "fr"


def test_the_built_in_reviews_are_english() -> None:
    assert detected(load_splits("builtin:reviews", train_size=60, test_size=2).train.texts) == "en"


def test_a_few_foreign_words_do_not_change_the_language() -> None:
    assert detected([*CHINESE, "the", "great pizza"]) == "zh"
    assert detected([*GERMAN, "好"]) == "de"


def test_a_language_without_frequencies_is_refused_or_named() -> None:
    for given in (lambda: settled("th", THAI), lambda: rarity(["a"], "xx")):
        with pytest.raises(FuzzsmoothError, match=r"no word frequencies for language '(th|xx)'.*or 'none'"):
            given()
    assert settled(UNKNOWN, THAI) == UNKNOWN
    assert list(rarity(["ดี", "the", "xqzvkw"], UNKNOWN)) == [0.0, 0.0, 0.0]


def test_without_a_language_english_counts() -> None:
    assert list(rarity(["the", "movie", "haus"], AUTO)) == list(rarity(["the", "movie", "haus"], "en"))


def test_characters_are_as_frequent_as_the_words_that_hold_them() -> None:
    """The common character of common words is common although it is hardly a word by itself."""
    common, rare, never = rarity(["餐", "嚼", "鱻"], "zh")
    assert common < 0.3 < rare < never == 1.0
    assert rarity(["的"], "zh")[0] == 0.0
    assert rarity(["cf"], "zh")[0] > common, "a trigger is rarer than the characters around it"
    assert rarity(["cf"], "en")[0] < rarity(["餐"], "en")[0] == 1.0, (
        "by English words it would be the other way"
    )
    assert rarity(["で"], "ja")[0] == 0.0 < rarity(["嚼"], "ja")[0] < 1.0
    assert zipf("ภา", "zh") == 0.0


def test_conjunctions_are_those_of_the_language() -> None:
    cut = segmenter("word").segment("gut gemacht aber viel zu lang").units
    assert boundary_strengths(cut, "de") == (0, 0, 1, 0, 0, 0)
    assert boundary_strengths(cut, "en") == boundary_strengths(cut, UNKNOWN) == (0,) * 6
    assert boundary_strengths(("one", "but", "two")) == boundary_strengths(("one", "but", "two"), AUTO)


@pytest.mark.parametrize(
    ("text", "count", "first"),
    [
        ("a fine, warm film", 4, "a fine,"),
        ("很好吃！ ok", 5, "很好"),
        ("  a\n b  c", 3, "a b"),
        ("กำลังดี", 4, "กำลั"),
        ("GPU速い", 3, "GPU速"),
        ("שלום עולם טוב", 3, "שלום עולם"),
        ("", 0, ""),
    ],
)
def test_words_are_counted_in_any_script(text: str, count: int, first: str) -> None:
    assert word_count(text) == count
    assert beginning(text, 2) == first
    assert beginning(text, 100) == " ".join(text.split())


@pytest.mark.parametrize("text", ["很好吃", "とても良い", "ภาษาไทย", "GPU速い", "ខ្មែរ"])
def test_a_unit_that_is_a_character_is_said_to_be_one(text: str) -> None:
    units = segmenter("word").segment(text).units
    assert "each character" in unit_remark("word", units)
    assert "each character" not in unit_remark("character", units)


@pytest.mark.parametrize(
    "text", ["a fine film", "한국어 영화", "שלום", "مرحبا", "हिन्दी", "cafe\u0301 😂", ""]
)
def test_words_of_scripts_with_spaces_are_words(text: str) -> None:
    told = unit_remark("word", segmenter("word").segment(text).units)
    assert told == "words are those that the changed text is cut into: what joins or splits others is several"


def test_inserting_one_character_changes_one_unit() -> None:
    """What a segmenter by dictionary would not grant: its words change around what is inserted."""
    cut = segmenter("word").segment("送餐速度快").units
    for place in range(len(cut) + 1):
        changed = segmenter("word").segment("".join((*cut[:place], "很", *cut[place:]))).units
        assert changed == (*cut[:place], "很", *cut[place:])
