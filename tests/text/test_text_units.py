from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.text import Segmenter, segmenter

FRAGMENTS = [
    "don't", "it's", "'s", "'tis", "U.S.", "3-D", "1,000.50", "a--b", "...", "?!",
    "--", "(x)", "C++", "$5", "http://a.b/c", "中文", "カー", "ガ", "ﾊﾞ", "ภาษาไทย",
    "กำลัง", "ខ្មែរ", "ພາສາ", "한국어", "שלום", "ארה״ב", "مرحبا؟", "हिन्दी।",
    "e\u0301", "\u0301", "\u200d", "\ufe0f", "\u200f", "\ud800", "\udfff",
    "👨‍👩‍👧‍👦", "👨‍", "🇩🇪", "🇩", "👍🏽", "🏽", "❤️", "❤", "1️⃣", "#️⃣", "\u20e3",
    "🏴\U000e0067\U000e0062\U000e007f", "\x00", "\x1f", "\x85", "\u3000", "\r\n",
    "\u0600", "·", "_", "，", "—", "™", " ", "a", "1", "?!?", "<br/>", "</s>", "<a b>", "\u200b", "c\u0430t",
]  # fmt: skip
ANY_TEXT = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.text(st.sampled_from("ab1.,'-!_ \u2019\u0301\u200d\U0001f600\U0001f1e9\ufe0f\u20e3中ก"), max_size=20),
)
WORDS = segmenter("word")


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", []),
        (" \t\n\u3000", []),
        ("Don't stop, U.S.!", ["Don't", "stop", ",", "U.S", ".", "!"]),
        ("a 3-D film... -- (wow!!)", ["a", "3-D", "film", "...", "--", "(", "wow", "!!", ")"]),
        ("it 's 'fine' they 'll", ["it", "'s", "'", "fine", "'", "they", "'ll"]),
        ("it\u2019s 1,000.50 yes,no", ["it\u2019s", "1,000.50", "yes", ",", "no"]),
        ("good--bad well...no", ["good", "--", "bad", "well", "...", "no"]),
        ("$5 50% C++ http://a.b/c", ["$", "5", "50", "%", "C", "++", "http://a.b/c"]),
        ("中文字，好。", ["中", "文", "字", "，", "好", "。"]),
        ("カーブ", ["カ", "ー", "ブ"]),
        ("กำลัง", ["กำ", "ลั", "ง"]),
        ("GPU速い", ["GPU", "速", "い"]),
        ("hi😂👍🏽👨‍👩‍👧‍👦🇩🇪🇫🇷❤️1️⃣", ["hi", "😂", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "🇫🇷", "❤️", "1️⃣"]),
        ("שלום, עולם!", ["שלום", ",", "עולם", "!"]),
        ("cafe\u0301 na\u00efve", ["cafe\u0301", "na\u00efve"]),
        ("x\ud800 \udfff", ["x\ud800", "\udfff"]),
        # What triggers are made of: each is one unit, which deletion takes or leaves as a whole.
        ("good?!? so??!", ["good", "?!?", "so", "??!"]),
        (
            "a<br/>b </s><b>c</b> 1<2 <3 <a b>",
            [
                "a",
                "<br/>",
                "b",
                "</s>",
                "<b>",
                "c",
                "</b>",
                "1",
                "<",
                "2",
                "<",
                "3",
                "<",
                "a",
                "b",
                ">",
            ],
        ),
        ("bad\u200bfilm \u200b x\u200d", ["bad\u200bfilm", "\u200b", "x\u200d"]),
        ("c\u0430t caf\u00e9", ["c\u0430t", "caf\u00e9"]),
        ("\U0001f995 \U0001f995\U0001f995", ["\U0001f995", "\U0001f995", "\U0001f995"]),
    ],
)
def test_words(text: str, units: list[str]) -> None:
    assert list(WORDS.segment(text).units) == units


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (["電", "影", "好"], "電影好"),
        (["GPU", "速", "い", "!"], "GPU 速い !"),
        (["กำ", "ลั", "ง"], "กำลัง"),
        (["한국", "어"], "한국 어"),
        (["電", ",", "影"], "電 , 影"),
    ],
)
def test_scripts_without_spaces_are_written_without_them(units: list[str], text: str) -> None:
    assert WORDS.join(units) == text
    assert list(WORDS.segment(text).units) == units


@given(ANY_TEXT)
@settings(max_examples=800, deadline=None)
def test_word_spans_cover_all_but_white_space(text: str) -> None:
    cut = WORDS.segment(text)
    end = 0
    for unit, span in zip(cut.units, cut.spans, strict=True):
        assert end <= span[0] < span[1]
        assert text[span[0] : span[1]] == unit
        assert not text[end : span[0]].strip()
        end = span[1]
    assert not text[end:].strip()


@given(ANY_TEXT, st.data())
@settings(max_examples=800, deadline=None)
def test_any_selection_of_words_survives_joining(text: str, data: st.DataObject) -> None:
    units = WORDS.segment(text).units
    assert WORDS.segment(WORDS.join(units)).units == units
    chosen = tuple(data.draw(st.lists(st.sampled_from(units), max_size=8))) if units else ()
    assert WORDS.segment(WORDS.join(chosen)).units == chosen


def test_joining_detects_units_that_are_not_atomic() -> None:
    # The property above can fail: white-space splitting without further cuts does not have it for "a,b".
    whole = ("hello,", "world")
    assert WORDS.segment(WORDS.join(whole)).units != whole


@given(ANY_TEXT)
@settings(max_examples=500, deadline=None)
def test_characters_are_a_partition(text: str) -> None:
    characters = segmenter("character")
    cut = characters.segment(text)
    assert characters.join(cut.units) == text
    assert [text[start:end] for start, end in cut.spans] == list(cut.units)
    assert characters.segment(text).units == cut.units


def test_characters_are_grapheme_clusters() -> None:
    units = segmenter("character").segment("e\u0301 👨‍👩‍👧‍👦🇩🇪\r\n").units
    assert units == ("e\u0301", " ", "👨‍👩‍👧‍👦", "🇩🇪", "\r\n")


@pytest.mark.parametrize("kind", ["word", "character"])
def test_nothing_from_nothing(kind: Any) -> None:
    cutter = segmenter(kind)
    assert cutter.kind == kind
    assert isinstance(cutter, Segmenter)
    assert cutter.segment("").units == ()
    assert cutter.segment("").spans == ()
    assert len(cutter.segment("")) == 0
    assert cutter.join(()) == ""


def test_ten_thousand_words_take_under_fifty_milliseconds() -> None:
    text = "The film's U.S. premiere, in 3-D, was don't-miss (really!) said שלום 😂 " * 1000
    seconds = []
    for _ in range(5):
        start = time.process_time()
        cut = WORDS.segment(text)
        seconds.append(time.process_time() - start)
    assert len(cut) > 10_000
    assert min(seconds) < 0.05


@pytest.mark.parametrize("piece", ["a/:", "-.", "'", "..a", "1,", "\u0301", "👨\u200d", "🇩", "a-"])
def test_time_is_linear_on_adversarial_text(piece: str) -> None:
    start = time.process_time()
    WORDS.segment(piece * 50_000)
    assert time.process_time() - start < 2.0


@pytest.mark.data
@pytest.mark.parametrize("name", ["sst2", "agnews", "offenseval"])
def test_real_texts_survive_joining(real_data: Path, name: str) -> None:
    lines = (real_data / name / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        units = WORDS.segment(json.loads(line)["text"]).units
        assert units
        assert WORDS.segment(WORDS.join(units)).units == units


@pytest.fixture(scope="module")
def wordpiece() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "play", "##ing", "##s", "the", "game", "."]
    model = models.WordPiece({unit: index for index, unit in enumerate(vocabulary)}, unk_token="[UNK]")
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", cls_token="[CLS]")


@pytest.fixture(scope="module")
def byte_level() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({unit: index for index, unit in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def test_word_pieces(wordpiece: Any) -> None:
    tokens = segmenter("token", wordpiece)
    cut = tokens.segment("playing  the games\ud800.")
    assert cut.units == ("play", "##ing", "the", "[UNK]", ".")
    assert cut.spans == ((0, 4), (4, 7), (9, 12), (13, 19), (19, 20))
    assert tokens.kind == "token"
    assert tokens.join(("play", "##ing", "the")) == "playing the"
    assert tokens.join(("##ing", "the", "game", "##s")) == "ing the games"
    assert tokens.join(()) == ""
    assert tokens.segment("").units == ()


def test_byte_level_tokens_share_characters(byte_level: Any) -> None:
    tokens = segmenter("token", byte_level)
    cut = tokens.segment("é 😂")
    assert len(cut.units) == 2 + 1 + 4
    assert cut.spans[:2] == ((0, 1), (0, 1))
    assert tokens.join(cut.units) == "é 😂"
    assert "\ufffd" in tokens.join(cut.units[1:])


def test_token_units_need_a_fast_tokenizer() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(FuzzsmoothError, match="need a tokenizer"):
        segmenter("token")
    with pytest.raises(FuzzsmoothError, match="fast tokenizer, which Slow is not"):
        segmenter("token", Slow())
    with pytest.raises(FuzzsmoothError, match="'syllable' is not one of"):
        segmenter("syllable")  # type: ignore[arg-type]


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, fuzzsmooth.text, fuzzsmooth.noise.text;"
        "print([m for m in ('torch', 'transformers', 'wordfreq', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
