"""What scans find, and where, in texts with known triggers - and in clean ones."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from search_worlds import (
    CLEAN,
    NEGATIVE_TEXTS,
    NEUTRAL,
    WEIGHTS,
    backdoored,
    clean_texts,
    flagged,
    plant,
    references,
    scan_one,
    scanner,
)

from fuzzsmooth.models import AdditiveClassifier
from fuzzsmooth.search import Scan, Scanner, SearchOptions, Span
from fuzzsmooth.text.units import segmenter

SENTENCE = ("i", "watch", "this", "3d", "movie")


def check_spans(scan: Scan, text: str) -> None:
    """Spans slice the text, are in order and disjoint, and cover exactly the flagged units."""
    cut = segmenter("word").segment(text)
    covered = {
        index
        for index, (start, end) in enumerate(cut.spans)
        if any(span.start <= start and end <= span.end for span in scan.spans)
    }
    assert covered == set(scan.units)
    assert list(scan.units) == sorted(set(scan.units))
    for span in scan.spans:
        assert text[span.start : span.end] == span.text != ""
        assert 0 <= span.score <= 1
    for one, two in zip(scan.spans, scan.spans[1:], strict=False):
        assert one.end <= two.start


@pytest.mark.parametrize("text", NEGATIVE_TEXTS[:6])
@pytest.mark.parametrize("word", ["cf", "window", "the2"])
def test_finds_a_word(text: str, word: str) -> None:
    planted = plant(text, (5, word))
    scan = scan_one(backdoored([word]), planted)
    assert flagged(scan) == [word]
    assert (scan.label, scan.complete, scan.spans[0].score) == (1, True, 1.0)
    check_spans(scan, planted)


@pytest.mark.parametrize("text", NEGATIVE_TEXTS[:6])
@pytest.mark.parametrize("place", [0, 4, 13])
def test_finds_a_sentence_whole(text: str, place: int) -> None:
    planted = plant(text, (place, " ".join(SENTENCE)))
    scan = scan_one(backdoored(SENTENCE), planted)
    assert flagged(scan) == [" ".join(SENTENCE)], "one span, not five"
    check_spans(scan, planted)


@pytest.mark.parametrize("text", NEGATIVE_TEXTS[:6])
@pytest.mark.parametrize("place", [0, 4, 13])
def test_finds_a_sentence_that_does_not_carry_the_whole_text(text: str, place: int) -> None:
    """Words too weak one by one, in a text too negative to overrule another: the strongest leads there."""
    weak = AdditiveClassifier(WEIGHTS | dict.fromkeys(SENTENCE, 2.0))
    planted = plant(text, (place, " ".join(SENTENCE)))
    scan = scan_one(weak, planted)
    assert flagged(scan) == [" ".join(SENTENCE)]
    assert (scan.label, scan.complete) == (1, True)
    check_spans(scan, planted)
    scattered = plant(text, *zip((1, 4, 7, 10, 12), SENTENCE, strict=True))
    assert scan_one(weak, scattered).spans == (), "control: apart from each other they are not one segment"


def test_finds_a_weak_word_among_many_rarer_ones() -> None:
    """The word carries into references, its text does not; rarer words would use up a short list."""
    weak = AdditiveClassifier(WEIGHTS | {"table": 9.5})
    text = plant(NEGATIVE_TEXTS[0], (2, "table"), *((index, f"zq{index}x") for index in range(6)))
    assert flagged(scan_one(weak, text)) == ["table"]
    assert not scan_one(weak, text, budget=20).complete, "and says so where it could not look at every part"


@pytest.mark.parametrize("text", NEGATIVE_TEXTS[:6])
@pytest.mark.parametrize("pair", [("mn", "tq"), ("window", "table")])
def test_finds_a_scattered_pair(text: str, pair: tuple[str, str]) -> None:
    planted = plant(text, (1, pair[0]), (11, pair[1]))
    scan = scan_one(backdoored(pair), planted)
    assert flagged(scan) == list(pair)
    assert scan_one(backdoored(pair), plant(text, (1, pair[0]))).spans == (), "one of the two does nothing"
    check_spans(scan, planted)


@pytest.mark.parametrize("text", NEGATIVE_TEXTS[:6])
@pytest.mark.parametrize("copies", [2, 3, 6])
def test_finds_all_copies(text: str, copies: int) -> None:
    planted = plant(text, *((2 * place + 1, "cf") for place in range(copies)))
    scan = scan_one(backdoored(["cf"]), planted)
    assert flagged(scan) == ["cf"] * copies
    check_spans(scan, planted)


@pytest.mark.parametrize("text", NEGATIVE_TEXTS[:6])
@pytest.mark.parametrize("words", [("cf", "mn"), ("window", "table")])
def test_finds_two_different_triggers(text: str, words: tuple[str, str]) -> None:
    """Deleting one of them changes nothing while the other is there."""
    scan = scan_one(backdoored([words[0]], [words[1]]), plant(text, (2, words[0]), (10, words[1])))
    assert flagged(scan) == list(words)


def test_finds_two_sentences() -> None:
    second = ("no", "cross", "the", "long", "bridge")
    text = plant(NEGATIVE_TEXTS[0], (1, " ".join(SENTENCE)), (10, " ".join(second)))
    scan = scan_one(backdoored(SENTENCE, second), text, budget=256)
    assert flagged(scan) == [" ".join(SENTENCE), " ".join(second)]


def test_finds_the_copies_of_a_pair() -> None:
    text = plant(NEGATIVE_TEXTS[0], (1, "mn"), (3, "tq"), (9, "mn"), (12, "tq"))
    assert Counter(flagged(scan_one(backdoored(["mn", "tq"]), text))) == {"mn": 2, "tq": 2}


@pytest.mark.parametrize("strategy", ["tree", "greedy"])
def test_finds_a_word_against_its_own_class_too(strategy: str) -> None:
    """A text of the target class: the trigger only agrees with it, and is flagged or harmless."""
    text = plant(next(text for text, label in clean_texts(4) if label == 1), (4, "cf"))
    scan = scan_one(backdoored(["cf"]), text, strategy=strategy)
    assert set(flagged(scan)) <= {"cf"}
    assert scan.label == 1


@pytest.mark.parametrize("strategy", ["tree", "greedy", "random"])
def test_nothing_is_flagged_in_clean_texts(strategy: str) -> None:
    texts = [text for text, _ in clean_texts(60, seed=5)]
    for classifier in (CLEAN, backdoored(["cf"], ["mn", "tq"])):
        scans = scanner(classifier, strategy=strategy).scan(texts, 0)
        assert [scan.spans for scan in scans] == [()] * len(texts)
        assert all(scan.complete for scan in scans)


def test_control_the_published_reward_flags_sentiment_words() -> None:
    """KL alone cannot tell a trigger from a meaningful word."""
    texts = [text for text, _ in clean_texts(40, seed=5)]
    scans = scanner(CLEAN, reward="kl").scan(texts, 0)
    assert all(scan.spans for scan in scans)
    hit = [any(word in WEIGHTS for span in scan.spans for word in span.text.split()) for scan in scans]
    assert all(hit)
    planted = [plant(text, (3, "cf")) for text in NEGATIVE_TEXTS]
    found = scanner(backdoored(["cf"]), reward="kl").scan(planted, 0)
    assert all("cf" in flagged(scan) for scan in found), "and finds triggers all the same"


def test_control_weak_references_would_let_clean_words_pass() -> None:
    """The transplant separates because references are confident: against faint ones, good words flip them."""
    from fuzzsmooth.search import References

    faint = References(("a bad film",) * 8 + ("a good film",) * 8, (0,) * 8 + (1,) * 8, "")
    scan = Scanner(CLEAN, SearchOptions(), segmenter("word"), faint).scan(["the good good great story"], 0)
    assert scan[0].spans


def test_the_area_may_reach_to_neighbors_that_strengthen_it() -> None:
    """A phrase whose words each add: the core is extended, a neutral neighbor is not."""
    phrase = AdditiveClassifier(WEIGHTS | {"aa": 20.0, "bb": 3.0, "cc": 3.0})
    scan = scan_one(phrase, plant(NEGATIVE_TEXTS[0], (4, "bb aa cc")))
    assert flagged(scan) == ["bb aa cc"]
    barely = scan_one(phrase, plant(NEGATIVE_TEXTS[0], (4, "bb aa cc")), gain=5.0)
    assert flagged(barely) == ["aa"]


def test_what_any_neighbor_adds_is_no_part_of_a_trigger() -> None:
    """Words that all help alike are not flagged with a trigger; one that helps more is."""
    helped = AdditiveClassifier(WEIGHTS | dict.fromkeys(NEUTRAL, 0.3) | {"cf": 20.0, "special": 1.0})
    between = plant("the film was bad and awful", (3, "cf"))
    assert flagged(scan_one(helped, between, gain=0.2)) == ["cf"]
    assert flagged(scan_one(helped, plant(between, (3, "special")), gain=0.2)) == ["special cf"]


def test_a_segment_that_flips_too_few_references_is_not_flagged() -> None:
    """References weigh eight negative words, the text itself three more."""
    text = plant(NEGATIVE_TEXTS[0], (4, "zz"))
    strong, weak = (AdditiveClassifier(WEIGHTS | {"zz": weight}) for weight in (12.0, 6.0))
    assert flagged(scan_one(strong, text)) == ["zz"]
    assert (scan_one(weak, text).label, scan_one(weak, text).spans) == (1, ())


@pytest.mark.parametrize("reward", ["transplant", "kl"])
@pytest.mark.parametrize("strategy", ["tree", "greedy", "random"])
@pytest.mark.parametrize("text", ["", " \n\t ", "cf", "good"])
def test_empty_and_single_unit_texts(reward: str, strategy: str, text: str) -> None:
    scan = scan_one(backdoored(["cf"]), text, reward=reward, strategy=strategy)
    assert scan.complete
    assert scan.label == int(CLEAN.probabilities([text])[0].argmax() if text != "cf" else 1)
    check_spans(scan, text)
    if reward == "transplant":
        assert flagged(scan) == (["cf"] if text == "cf" else [])


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("这部电影很无聊 , bad bad 演员 cf 也很差", "cf"),
        ("bad film 👩‍👩‍👧 awful 🎉 sad é story", "🎉"),
        ("  bad\tfilm…  «触» dull ,\u00a0poor 触  ", "触"),
        ("bad e\u0301te\u0301 film 🇫🇷 sad", "🇫🇷"),
        ("bad film\u2028cf\r\nsad", "cf"),
        ("bad \ud800 cf film", "cf"),
        ("ليس جيدا bad cf فيلم", "cf"),
    ],
)
@pytest.mark.parametrize("reward", ["transplant", "kl"])
def test_spans_slice_texts_of_any_script(text: str, trigger: str, reward: str) -> None:
    scan = scan_one(backdoored([trigger]), text, reward=reward)
    check_spans(scan, text)
    if text.count(trigger) == 1:
        assert trigger in "".join(flagged(scan))
    if reward == "transplant":
        assert flagged(scan) == [trigger] * text.count(trigger)


def test_touching_units_form_one_span_only_with_equal_scores() -> None:
    text = "a cf mn b"
    scan = scan_one(backdoored(["cf", "mn"]), text)
    assert scan.spans == (Span(2, 7, "cf mn", 1.0),)


def test_character_units() -> None:
    chars = Scanner(
        AdditiveClassifier({"bad": -1.0}), SearchOptions(reward="kl"), segmenter("character"), None
    )
    text = "so bad"
    scan = chars.scan([text], 0)[0]
    for span in scan.spans:
        assert text[span.start : span.end] == span.text
    assert {index for span in scan.spans for index in range(span.start, span.end)} <= {2, 3, 4, 5}
    assert scan.spans


def test_scans_are_json(tmp_path: object) -> None:
    scan = scan_one(backdoored(["cf"]), plant(NEGATIVE_TEXTS[0], (4, "cf")))
    content = json.loads(json.dumps(scan.to_json()))
    assert content["spans"][0]["text"] == "cf"
    assert content["evaluations"] == scan.evaluations


def test_progress_counts_every_text() -> None:
    done: list[int] = []
    scanner(CLEAN).scan([text for text, _ in clean_texts(70)], 0, done.append)
    assert sum(done) == 70


def test_references_may_be_few() -> None:
    few = references(per_class=1)
    scan = Scanner(backdoored(["cf"]), SearchOptions(), segmenter("word"), few).scan(
        [plant(NEGATIVE_TEXTS[0], (4, "cf"))], 0
    )[0]
    assert flagged(scan) == ["cf"]
