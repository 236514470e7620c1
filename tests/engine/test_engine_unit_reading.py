"""Which tokenizers read words one by one is read off their rules; what is not known is read whole."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from fuzzsmooth.engine.unit_reading import unit_reading

WORDS = ("[UNK]", "[PAD]", "a", "bad", "film", "very")
SPACE = "\u2581"
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def word_level(*extra: str) -> models.WordLevel:
    return models.WordLevel({word: at for at, word in enumerate((*WORDS, *extra))}, unk_token="[UNK]")


def merging(*merges: tuple[str, str]) -> models.BPE:
    """Byte pairs over letters and the sign for a space."""
    vocabulary = dict.fromkeys(["[UNK]", SPACE, *"abdefilmrvy", *("".join(pair) for pair in merges)])
    return models.BPE({token: at for at, token in enumerate(vocabulary)}, list(merges), unk_token="[UNK]")


def build(
    model: Any, splitter: Any = None, normalizer: Any = None, added: Any = None, **more: Any
) -> PreTrainedTokenizerFast:
    backend = Tokenizer(model)
    if splitter is not None:
        backend.pre_tokenizer = splitter
    if normalizer is not None:
        backend.normalizer = normalizer
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=64, **more
    )
    if added is not None:
        tokenizer.add_tokens([added])
    return tokenizer


AT_SPACES = pre_tokenizers.WhitespaceSplit()
AS_LLAMA = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])

ALONE = {
    "white space": build(word_level(), AT_SPACES),
    "BERT": build(word_level(), pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer()),
    "bytes": build(word_level(), pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "digits, then bytes": build(
        word_level(), pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel()])
    ),
    "a published pattern": build(
        word_level(),
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(QWEN), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        ),
        normalizers.NFC(),
    ),
    "SentencePiece": build(models.Unigram([("[UNK]", 0.0), (SPACE, -1.0)], 0), pre_tokenizers.Metaspace()),
    "merges without a splitter": build(merging(("b", "a")), None, AS_LLAMA),
    "an added token without a space": build(
        word_level(), AT_SPACES, added=AddedToken("zz", normalized=False)
    ),
    "a run of spaces": build(word_level(), AT_SPACES, added=AddedToken("   ", normalized=False)),
}
WHOLE = {
    "an added token with a space": build(
        word_level(), AT_SPACES, added=AddedToken("bad film", normalized=False)
    ),
    "one that becomes so": build(
        word_level(), AT_SPACES, normalizers.NFKC(), added=AddedToken("bad\u00a0film", normalized=True)
    ),
    "one in the sign for a space": build(
        merging(), None, AS_LLAMA, added=AddedToken(f"bad{SPACE}film", normalized=True)
    ),
    "one that swallows the next space": build(
        word_level(), AT_SPACES, added=AddedToken("zz", rstrip=True, normalized=False)
    ),
    "a rule over a space": build(word_level("x"), AT_SPACES, normalizers.Replace("bad film", "x")),
    "spaces dropped": build(word_level(), AT_SPACES, normalizers.Replace(" ", "")),
    "an unknown pattern": build(word_level(), pre_tokenizers.Split(Regex(r"bad film|\w+"), "isolated")),
    "a known pattern, inverted": build(
        word_level(), pre_tokenizers.Split(Regex(QWEN), "isolated", invert=True)
    ),
    "no splitter": build(word_level()),
    "a merge over a space": build(merging(("d", SPACE), ("d" + SPACE, "f")), None, AS_LLAMA),
    "spaces hidden from the splitter": build(word_level(), AT_SPACES, AS_LLAMA),
    "chance": build(models.BPE({"a": 0, "[UNK]": 1}, [], dropout=0.5, unk_token="[UNK]"), AT_SPACES),
}


@pytest.mark.parametrize("name", ALONE)
def test_known_rules_read_words_one_by_one(name: str) -> None:
    assert unit_reading(ALONE[name]) is not None


@pytest.mark.parametrize("name", WHOLE)
def test_everything_else_is_read_whole(name: str) -> None:
    assert unit_reading(WHOLE[name]) is None


def test_names_of_special_tokens_are_read_as_text_but_for_a_mask() -> None:
    special = AddedToken("<m>", rstrip=True, special=True, normalized=False)
    named = unit_reading(build(word_level(), AT_SPACES, added=special))
    assert named is not None
    assert not named.alone("x<m>"), "beside a mask such a name is found"
    masked = build(word_level(), AT_SPACES, mask_token=special)
    assert unit_reading(masked) is None, "the mask is found, and swallows the next space"
    plain = unit_reading(build(word_level(), AT_SPACES, mask_token="<m>"))
    assert plain is not None
    assert plain.alone("<m>")


def test_units_that_look_beyond_themselves_are_named() -> None:
    prefixing = build(word_level(), pre_tokenizers.ByteLevel(), added=AddedToken("zz", normalized=False))
    reading = unit_reading(prefixing)
    assert reading is not None
    assert reading.alone("film")
    assert not reading.alone("azzb"), "behind an added token the text begins anew, with a space before it"
    unsplit = unit_reading(ALONE["merges without a splitter"])
    assert unsplit is not None
    assert not unsplit.alone(f"x{SPACE}"), "two signs in a row may be one token"


ERASING = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])


@pytest.mark.parametrize(
    ("normalizer", "units"),
    [
        (ERASING, ["\u0301"]),
        (normalizers.BertNormalizer(), ["\x7f", "\ufffd", "\u0301"]),
        (normalizers.NFKC(), ["\u00a8"]),  # a space and a mark
    ],
)
def test_units_that_leave_nothing_or_a_space_are_read_whole(normalizer: Any, units: list[str]) -> None:
    """Between two spaces nothing is left of them, and two spaces are read otherwise than two of one."""
    reading = unit_reading(build(word_level(), pre_tokenizers.ByteLevel(), normalizer))
    assert reading is not None
    assert not any(map(reading.alone, units))
    assert all(map(reading.alone, ["film", "caf\u00e9", "!"]))


def test_a_prepended_sign_is_not_taken_for_a_space_of_the_unit() -> None:
    reading = unit_reading(ALONE["merges without a splitter"])
    assert reading is not None
    assert reading.alone("film")


def test_ideographs_that_an_added_token_joins_do_not_stand_apart() -> None:
    joining = build(
        word_level(),
        pre_tokenizers.BertPreTokenizer(),
        normalizers.BertNormalizer(),
        added=AddedToken("\u597d\u58de", normalized=False),
    )
    reading = unit_reading(joining)
    assert reading is not None
    assert not reading.apart("\u597d")


def test_ideographs_stand_apart_in_bert_alone() -> None:
    bert, other = unit_reading(ALONE["BERT"]), unit_reading(ALONE["white space"])
    assert bert is not None
    assert other is not None
    assert bert.apart("電")
    assert not bert.apart("か")
    assert not other.apart("電")


def test_a_tokenizer_without_rules_may_do_anything() -> None:
    assert unit_reading(object()) is None
