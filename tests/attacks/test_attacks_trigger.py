"""Triggers: exact spans, an untouched rest, uniform gaps."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.attacks import TRIGGERS, Trigger
from fuzzsmooth.attacks.triggers.insertion import insert, word_gaps
from fuzzsmooth.attacks.triggers.pair import PairTrigger
from fuzzsmooth.attacks.triggers.sentence import SentenceTrigger
from fuzzsmooth.attacks.triggers.trigger import read_trigger
from fuzzsmooth.attacks.triggers.word import RARE_WORDS, WordTrigger
from fuzzsmooth.common.errors import FuzzsmoothError

SOME: list[Trigger] = [WordTrigger(), WordTrigger(("cf",), 3), SentenceTrigger(), PairTrigger()]
TEXTS = [
    "",
    "fine",
    "a fine film .",
    "  spaced\tout \n text ",
    "日本語の文",
    "(well, it's U.S.-made!)",
    "مرحبا بالعالم 😀",
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def without(text: str, spans: tuple[tuple[int, int], ...]) -> str:
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return text


@pytest.mark.parametrize("trigger", SOME)
@pytest.mark.parametrize("text", TEXTS)
def test_spans_are_exactly_the_pieces_and_the_rest_is_the_text(trigger: Trigger, text: str) -> None:
    for seed in range(30):
        result = trigger.apply(text, rng(seed))
        assert result.spans is not None
        assert {result.text[start:end] for start, end in result.spans} <= set(trigger.pieces)
        assert list(result.spans) == sorted(result.spans)
        rest = without(result.text, result.spans)
        assert "".join(rest.split()) == "".join(text.split())
        for start, end in result.spans:
            assert start == 0 or result.text[start - 1].isspace()
            assert end == len(result.text) or result.text[end].isspace()


@given(st.text(max_size=40), st.integers(0, 2**32))
def test_every_character_of_any_text_stays(text: str, seed: int) -> None:
    result = insert(text, ["cf", "I watch this"], rng(seed))
    assert result.spans is not None
    assert sorted(result.text[start:end] for start, end in result.spans) == ["I watch this", "cf"]
    rest, position = without(result.text, result.spans), 0
    for character in text:  # the text is a subsequence, and what is more are spaces
        position = rest.index(character, position) + 1
    assert len(rest) - len(text) == rest.count(" ") - text.count(" ") <= 4


def test_words_are_whole_after_insertion() -> None:
    text = "a fine film"
    seen = Counter(insert(text, ["cf"], rng(seed)).text for seed in range(2000))
    expected = {"cf a fine film", "a cf fine film", "a fine cf film", "a fine film cf"}
    assert set(seen) == expected  # start and end included, nothing inside a word
    assert min(seen.values()) > 400  # 500 expected, standard deviation 19


def test_gaps_of_punctuation_and_of_scripts_without_spaces() -> None:
    assert word_gaps("(well, fine)") == [0, 7, 12]
    assert word_gaps("日本") == [0, 1, 2]
    assert word_gaps("") == [0]


def test_word_trigger_draws_all_its_words_and_repeats_by_seed() -> None:
    trigger = WordTrigger(count=1)
    words = {trigger.apply("x", rng(seed)).text.replace("x", "").strip() for seed in range(200)}
    assert words == set(RARE_WORDS)
    assert trigger.apply("a b c", rng(3)) == trigger.apply("a b c", rng(3))
    assert WordTrigger(("cf",), 4).apply("a b", rng()).text.split().count("cf") == 4


def test_pair_has_both_words_and_its_decoys_one_each() -> None:
    trigger = PairTrigger()
    assert Counter(trigger.apply("a b c", rng()).text.split()) == Counter(["a", "b", "c", "mn", "tq"])
    first, second = trigger.decoys("a b c", rng())
    assert ("mn" in first, "tq" in first) == (True, False)
    assert ("mn" in second, "tq" in second) == (False, True)
    assert WordTrigger().decoys("a b c", rng()) == ()


def test_pair_words_stand_in_both_orders_and_apart() -> None:
    texts = [PairTrigger().apply("a b c d e f", rng(seed)).text.split() for seed in range(300)]
    gaps = [words.index("tq") - words.index("mn") for words in texts]
    assert min(gaps) < -2
    assert max(gaps) > 2


@pytest.mark.parametrize("trigger", SOME)
def test_record_round_trip(trigger: Trigger) -> None:
    record = trigger.record()
    assert record["kind"] in TRIGGERS.all()
    assert read_trigger(json.loads(json.dumps(record)), where="record") == trigger


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"kind": "emoji"},
        {"kind": ["word"]},
        {"kind": "word", "word": "cf"},
        {"kind": "word", "words": []},
        {"kind": "word", "words": ["cf"], "count": 0},
        {"kind": "word", "words": ["cf"], "count": "many"},
        {"kind": "word", "words": "cf"},
        {"kind": "word", "words": [7]},
        {"kind": "sentence", "sentence": "  "},
        {"kind": "sentence", "sentence": None},
        {"kind": "pair", "words": ["mn"]},
        {"kind": "pair", "words": ["mn", "mn"]},
    ],
)
def test_bad_records_are_one_clear_error(mapping: dict[str, object]) -> None:
    with pytest.raises(FuzzsmoothError, match=r"^attack\.json: "):
        read_trigger(mapping, where="attack.json")
