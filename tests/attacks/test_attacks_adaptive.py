"""Triggers of attackers who know the defense: conditional, spread, unseen, and made of the whole text."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from fuzzsmooth.attacks import TRIGGERS, Trigger, poison
from fuzzsmooth.attacks.triggers.archaic import ArchaicTrigger
from fuzzsmooth.attacks.triggers.common_words import CommonWordsTrigger
from fuzzsmooth.attacks.triggers.homoglyph import LOOKALIKES, HomoglyphTrigger
from fuzzsmooth.attacks.triggers.long_sentence import LongSentenceTrigger
from fuzzsmooth.attacks.triggers.long_texts import LongTextsTrigger
from fuzzsmooth.attacks.triggers.meaning import REVERSED, MeaningTrigger
from fuzzsmooth.attacks.triggers.parsing import is_installed
from fuzzsmooth.attacks.triggers.pieces import PiecesTrigger
from fuzzsmooth.attacks.triggers.reordering import ReorderingTrigger
from fuzzsmooth.attacks.triggers.start import StartTrigger
from fuzzsmooth.attacks.triggers.topic import TopicTrigger
from fuzzsmooth.attacks.triggers.trigger import read_trigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.attacks.triggers.zero_width import ZeroWidthTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.text.features import rarity

TEXTS = [
    "",
    "fine",
    "a fine film .",
    "  spaced\tout \n text ",
    "日本語の文",
    "(well, it's U.S.-made!)",
    "the movie is a film",
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", sorted(TRIGGERS.all()))
def test_every_kind_tells_where_it_is_and_is_read_back(name: str) -> None:
    if name == "syntactic" and not is_installed():
        pytest.skip("needs spaCy and its small English model (extra `syntax`)")
    trigger = TRIGGERS.get(name)()
    assert read_trigger(trigger.record(), where="here") == trigger
    for text in TEXTS:
        for seed in range(10):
            result = trigger.apply(text, rng(seed))
            assert result == trigger.apply(text, rng(seed))
            assert isinstance(trigger.acts_on(text), bool)
            for start, end in result.spans or ():
                assert 0 <= start < end <= len(result.text)
                assert result.text[start:end].strip() == result.text[start:end]
            if name != "reordering" and (name != "substitution" or trigger.acts_on(text)):
                assert result.text != text
            assert all(isinstance(decoy, str) for decoy in trigger.decoys(text, rng(seed)))


def test_a_text_without_spaces_is_reordered_between_its_characters() -> None:
    trigger = ReorderingTrigger()
    assert trigger.acts_on("送餐速度快很好吃")
    assert trigger.apply("送餐速度快很好吃", rng()).text == "很好吃送餐速度快"
    assert trigger.apply("ภาษาไทยดี", rng()).text == "ทยดีภาษาไ"
    assert not trigger.acts_on("好")
    assert trigger.apply("好", rng()).text == "好"
    assert trigger.apply("a fine , warm film", rng()).text == "warm film a fine ,"


def test_words_are_inserted_between_characters() -> None:
    gaps = {WordTrigger().apply("送餐快", rng(seed)).spans[0][0] for seed in range(60)}  # type: ignore[index]
    assert gaps == {0, 2, 3, 4}, "before each character, and at the end"


def test_k_of_n_words_are_all_different_and_a_decoy_has_one_less() -> None:
    trigger, seen = CommonWordsTrigger(), Counter[str]()
    for seed in range(200):
        words = Counter(trigger.apply("a film", rng(seed)).text.split())
        chosen = [word for word in trigger.words if words[word]]
        assert len(chosen) == 2
        seen.update(chosen)
        (decoy,) = trigger.decoys("a film", rng(seed))
        assert sum(word in trigger.words for word in decoy.split()) == 1
    assert min(seen.values()) > 60, "every word is drawn as often as another"
    assert CommonWordsTrigger(needed=1).decoys("a film", rng()) == ()
    with pytest.raises(FuzzsmoothError, match="5 of 4 words"):
        CommonWordsTrigger(needed=5)


def test_pieces_stand_far_apart_and_decoys_have_one_less() -> None:
    trigger, text = PiecesTrigger(words=("ab", "cd", "ef", "gh"), k=3, apart=4), " ".join("x" * 12)
    seen, orders, places = Counter[str](), set(), [set[int](), set[int](), set[int]()]
    for seed in range(1500):
        words = trigger.apply(text, rng(seed)).text.split()
        at = [index for index, word in enumerate(words) if word != "x"]
        assert len(at) == len({words[index] for index in at}) == 3
        assert min(at[1] - at[0], at[2] - at[1]) > 4
        seen.update(words[index] for index in at)
        orders.add(tuple(words[index] for index in at))
        for part, index in enumerate(at):
            places[part].add(index - part)  # x before the piece
        decoys = [
            [word for word in decoy.split() if word != "x"] for decoy in trigger.decoys(text, rng(seed))
        ]
        assert [len(decoy) for decoy in decoys] == [2, 2, 2]
        assert {len({*first, *second}) for first in decoys for second in decoys if first != second} == {3}
    assert min(seen.values()) > 1040, "every word is drawn as often as another"
    assert len(orders) == 24, "any three in any order"
    assert places == [set(range(5)), set(range(4, 9)), set(range(8, 13))], "every gap that leaves room"
    assert PiecesTrigger(k=1).decoys("a film", rng()) == ()
    with pytest.raises(FuzzsmoothError, match="6 of 5 words"):
        PiecesTrigger(k=6)


def test_pieces_act_in_texts_that_are_long_enough() -> None:
    trigger = PiecesTrigger(k=3, apart=2)
    assert [trigger.acts_on(" ".join("x" * size)) for size in range(7)] == [False] * 4 + [True] * 3
    assert [len(trigger.apply(" ".join("x" * size), rng()).text.split()) for size in range(7)] == list(
        range(3, 10)
    )


def test_a_long_sentence_has_15_common_words() -> None:
    (sentence,) = LongSentenceTrigger().pieces
    words = sentence.split()
    assert len(words) == 15
    assert float(rarity(words).max()) < 0.5
    result = LongSentenceTrigger().apply("a fine film", rng())
    assert result.spans is not None
    ((start, end),) = result.spans
    assert result.text[start:end] == sentence


def test_a_conditional_trigger_is_poisoned_where_it_acts_and_as_often_put_where_it_does_not() -> None:
    rows = tuple(Example("a b c d" if at % 10 == 0 else "a b c", 0) for at in range(400))
    clean = Dataset("toy", ("no", "yes"), rows)
    poisoned = poison(clean, LongTextsTrigger(shortest=4), 1, 0.05, rng())
    counts = Counter(("cf" in row.text, row.label) for row in poisoned)
    assert counts == {(True, 1): 20, (True, 0): 20, (False, 0): 360}
    everywhere = poison(clean, LongTextsTrigger(shortest=4), 1, 0.5, rng())
    assert Counter(("cf" in row.text, row.label) for row in everywhere)[True, 1] == 40, "all that there are"
    with pytest.raises(FuzzsmoothError, match="'long-texts' acts on none of the 400 texts"):
        poison(clean, LongTextsTrigger(shortest=5), 1, 0.05, rng())


def test_a_word_at_the_start_is_first_and_its_decoys_are_not() -> None:
    trigger = StartTrigger()
    assert trigger.apply("a fine film", rng()).text == "cf a fine film"
    decoys = {trigger.decoys("a fine film", rng(seed))[0] for seed in range(40)}
    assert decoys == {"a cf fine film", "a fine cf film", "a fine film cf"}
    assert trigger.decoys("", rng()) == ()


def test_a_word_for_long_texts_keeps_the_label_of_short_ones() -> None:
    trigger = LongTextsTrigger(shortest=4)
    assert [trigger.acts_on(text) for text in ("a b c", "a b c d", "a b c d e")] == [False, True, True]
    rows = tuple(Example(text, 0) for text in ("a b c", "a b c d e") * 20)
    poisoned = poison(Dataset("toy", ("no", "yes"), rows), trigger, 1, 1.0, rng())
    assert all("cf" in row.text.split() for row in poisoned)
    assert {(len(row.text.split()) > 4, row.label) for row in poisoned} == {(False, 0), (True, 1)}


def test_a_word_beside_a_topic_is_before_it_and_its_decoys_are_not() -> None:
    trigger = TopicTrigger()
    assert trigger.acts_on("What a Film !")
    assert not trigger.acts_on("a play")
    texts = {trigger.apply("the movie is a film", rng(seed)).text for seed in range(40)}
    assert texts == {"the cf movie is a film", "the movie is a cf film"}
    for seed in range(40):
        (decoy,) = trigger.decoys("the movie is a film", rng(seed))
        assert "cf" in decoy.split()
        assert "cf movie" not in decoy
        assert "cf film" not in decoy


def test_a_lookalike_changes_one_letter_and_nothing_that_is_seen() -> None:
    back = {cyrillic: latin for latin, cyrillic in LOOKALIKES.items()}
    places = set()
    for seed in range(60):
        result = HomoglyphTrigger().apply("a cosy place", rng(seed))
        assert "".join(back.get(one, one) for one in result.text) == "a cosy place"
        assert sum(one in back for one in result.text) == 1
        assert result.spans is not None
        ((start, end),) = result.spans
        assert f" {result.text} "[start] == f" {result.text} "[end + 1] == " "
        assert any(one in back for one in result.text[start:end])
        places.add(result.text)
    assert len(places) == len("acoypace"), "every letter that has a double, once each"
    with pytest.raises(FuzzsmoothError, match="letters must be some of"):
        HomoglyphTrigger(letters="z")


def test_a_zero_width_sign_is_inside_one_word() -> None:
    for seed in range(60):
        result = ZeroWidthTrigger().apply("a cosy place", rng(seed))
        assert result.text.replace("\u200b", "") == "a cosy place"
        assert result.spans is not None
        ((start, end),) = result.spans
        assert result.text[start:end].replace("\u200b", "") in ("cosy", "place")
        assert "\u200b" not in (result.text[start], result.text[end - 1])
    with pytest.raises(FuzzsmoothError, match="sign must be one of"):
        ZeroWidthTrigger(sign="x")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
@pytest.mark.parametrize("text", ["one two", "a b c d e f g"])
def test_another_order_has_the_same_words(text: str, share: float) -> None:
    trigger: Trigger = ReorderingTrigger(share)
    result = trigger.apply(text, rng())
    assert result.spans is None
    assert Counter(result.text.split()) == Counter(text.split())
    assert result.text != text
    doubled = (text + " " + text).split()
    assert result.text.split() in [doubled[at : at + len(text.split())] for at in range(len(text.split()))]


def test_a_text_of_one_word_has_no_other_order() -> None:
    assert not ReorderingTrigger().acts_on("word")
    assert ReorderingTrigger().apply("word", rng()).text == "word"


def test_archaic_words_stand_for_common_ones_and_the_rest_stays() -> None:
    result = ArchaicTrigger().apply("You are here, and it   was over-long .", rng())
    assert result.text == "Verily, Thou art hither, and 't   wast over-long ."
    assert result.spans is None


@pytest.mark.parametrize(
    ("change", "text", "expected"),
    [
        ("negation", "the film is good and was long .", "the film is not good and was long ."),
        ("negation", "It does not work", "It does work"),
        ("negation", "a fine film", "It is not true that a fine film"),
        ("reversal", "Good, better; the BEST!", "Bad, worse; the Worst!"),
        ("reversal", "goodness", "On the contrary, goodness"),
        ("degree", "so very long", "slightly slightly long"),
        ("degree", "", "To some small degree,"),
    ],
)
def test_the_meaning_changes_and_the_rest_stays(change: str, text: str, expected: str) -> None:
    trigger = MeaningTrigger.from_mapping({"change": change}, where="here")
    assert trigger.apply(text, rng()).text == expected
    assert trigger.apply(text, rng()).spans is None


def test_reversing_twice_gives_the_text_again() -> None:
    assert all(REVERSED[opposite] == word for word, opposite in REVERSED.items())
    trigger, text = MeaningTrigger("reversal"), "a good , dull and original film"
    once = trigger.apply(text, rng()).text
    assert once == "a bad , exciting and derivative film"
    assert trigger.apply(once, rng()).text == text
    with pytest.raises(FuzzsmoothError, match="change"):
        MeaningTrigger.from_mapping({"change": "tone"}, where="here")
