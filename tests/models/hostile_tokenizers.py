"""Tokenizers of strangers: rules and models of every kind, with parameters at random."""

from __future__ import annotations

import base64
import copy
from typing import Any

from hypothesis import strategies as st
from sound_tokenizers import SPECIAL, WORDS, Rule, added, sound_models, template

from hostile_inputs import pick

_flag = st.booleans()
_signs = st.sampled_from(
    ("a", "", " ", "▁", "é", "ab", "\x00", "[SEP]", "x" * 60, "a" * 65, "\u0301", "😀", "\ufdfa")
)
_regexes = st.sampled_from(
    (
        *(
            "a",
            ".",
            "",
            "^",
            "$",
            r"\s",
            r"\b",
            r"\X",
            r"\p{L}+",
            "(?=é)",
            "(?<=a)",
            "(?!)",
            "(?i)A",
            r"\w+|\S",
        ),
        *(
            "[",
            "(a",
            "(a|a|a?)*$b|(a+)+$c",
            "(.*)*x",
            "a*a*a*(?<=b)",
            r".*.*.*(?<=\x00)",
            r"(a)\1+",
            "(?:a?){25}a{25}",
            "a{1,1000}",
            "(?:){1000}",
        ),
        *("x*", r"[^\s]"),
    )
)
_patterns = st.one_of(
    _signs.map(lambda found: {"String": found}), _regexes.map(lambda found: {"Regex": found})
)
_behaviors = st.sampled_from(
    ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous", "Odd")
)


@st.composite
def _charsmaps(draw: st.DrawFn) -> str:
    """A table of SentencePiece, or bytes that are none."""
    table = draw(st.binary(max_size=60))
    if draw(_flag):
        table = int(pick(draw, 0, 4, 1024, 2**31)).to_bytes(4, "little") + table
    return base64.b64encode(table).decode()


def _kinds(*names: str) -> st.SearchStrategy[Rule]:
    """Rules without parameters."""
    return st.sampled_from(names).map(lambda name: {"type": name})


def _rule(kind: str, **parameters: st.SearchStrategy[Any]) -> st.SearchStrategy[Rule]:
    return st.fixed_dictionaries({"type": st.just(kind), **parameters})


def _nested(one: st.SearchStrategy[Rule], key: str) -> st.SearchStrategy[Rule]:
    """One rule or several, in sequences that may be long or nested."""

    def sequence(rules: list[Rule]) -> Rule:
        return {"type": "Sequence", key: rules}

    several = st.lists(one, max_size=6).map(sequence)
    many = st.builds(lambda rule, count: sequence([rule] * count), one, st.sampled_from((20, 999, 5000)))
    deep = several.map(lambda rule: sequence([sequence([rule])]))
    return st.one_of(one, one, several, several, many, deep)


normalizers = _nested(
    st.one_of(
        _kinds("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel", "Odd"),
        _rule(
            "BertNormalizer",
            clean_text=_flag,
            handle_chinese_chars=_flag,
            strip_accents=_flag,
            lowercase=_flag,
        ),
        _rule("Strip", strip_left=_flag, strip_right=_flag),
        _rule("Replace", pattern=_patterns, content=_signs),
        _rule("Prepend", prepend=_signs),
        _rule("Precompiled", precompiled_charsmap=_charsmaps()),
    ),
    "normalizers",
)
_schemes = st.sampled_from(("always", "never", "first", "odd"))
_counts = st.sampled_from((0, 1, 10**9))
_byte_level = _rule("ByteLevel", add_prefix_space=_flag, trim_offsets=_flag, use_regex=_flag)
pre_tokenizers = _nested(
    st.one_of(
        _kinds("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts", "Odd"),
        _byte_level,
        _rule("CharDelimiterSplit", delimiter=_signs),
        _rule("Metaspace", replacement=_signs, prepend_scheme=_schemes, split=_flag),
        _rule("Punctuation", behavior=_behaviors),
        _rule("Split", pattern=_patterns, behavior=_behaviors, invert=_flag),
        _rule("Digits", individual_digits=_flag),
        _rule("FixedLength", length=st.sampled_from((0, 1, 5, 10**9))),
    ),
    "pretokenizers",
)
decoders = _nested(
    st.one_of(
        _kinds("ByteFallback", "Fuse", "Odd"),
        _byte_level,
        _rule("Metaspace", replacement=_signs, prepend_scheme=_schemes, split=_flag),
        _rule("WordPiece", prefix=_signs, cleanup=_flag),
        _rule("BPEDecoder", suffix=_signs),
        _rule("Replace", pattern=_patterns, content=_signs),
        _rule("Strip", content=_signs, start=_counts, stop=_counts),
        _rule("CTC", pad_token=_signs, word_delimiter_token=_signs, cleanup=_flag),
    ),
    "decoders",
)
_tokens = st.sampled_from((*SPECIAL, "film", "nope", ""))
_ids = st.sampled_from((0, 2, 3, 99, 399, 400, 10**6, 2**32 - 1))
_named = st.tuples(_tokens, _ids).map(list)


@st.composite
def _templates(draw: st.DrawFn) -> Rule:
    rule = template(draw(_tokens), draw(_tokens))
    if draw(_flag):
        unknown = {"SpecialToken": {"id": "no", "type_id": 7}}
        rule["single"] = draw(st.lists(st.sampled_from((*rule["single"], unknown)), max_size=300))
    if draw(_flag):
        ids = draw(st.lists(_ids, max_size=4))
        rule["special_tokens"] = {
            name: {"id": name, "ids": ids, "tokens": [name] * len(ids)} for name in rule["special_tokens"]
        }
    return rule


post_processors = _nested(
    st.one_of(
        _rule("BertProcessing", sep=_named, cls=_named),
        _rule("RobertaProcessing", sep=_named, cls=_named, trim_offsets=_flag, add_prefix_space=_flag),
        _byte_level,
        _templates(),
        _templates(),
    ),
    "processors",
)


_PARAMETERS = (
    *(None, True, False, 0, 1, -1, 2**40, 0.5, 1.0, 2.0),
    *("", "a", "[UNK]", "nope", "##" * 500, [], {}),
)
_ODD_WORDS = ("", " ", "\x00", "[PAD]", "a b", "\ud83d\ude00", "y" * 5000, "<0x61>")


@st.composite
def models(draw: st.DrawFn) -> Rule:
    """A model with odd parameters, or an odd vocabulary."""
    model: Rule = copy.deepcopy(pick(draw, *sound_models().values()))
    if draw(_flag):
        model[pick(draw, *sorted(set(model) - {"vocab", "merges"}))] = pick(draw, *_PARAMETERS)
    if model["type"] == "BPE" and draw(_flag):
        model["dropout"] = pick(draw, 0.1, 1.0, 0.0)
        model["merges"] += pick(
            draw, [["f", "i"]], [["no", "pe"]], ["f i"], [["a"]], [["fi", "lm"]], ["a b c"], []
        )
    if draw(_flag):
        change = _change_scores if model["type"] == "Unigram" else _change_ids
        change(draw, model["vocab"])
    return model


def _change_ids(draw: st.DrawFn, ids: dict[str, Any]) -> None:
    how, word = pick(draw, "id", "lose", "add", "empty", "many"), pick(draw, *sorted(ids))
    index = pick(draw, 0, 1, 3, 399, 400, 10**6, 2**32 - 1, -1, 1.5)
    if how == "many":
        count = pick(draw, 100, 5000)
        ids.update({f"w{number}": len(ids) + number for number in range(count)})
    elif how == "empty":
        ids.clear()
    elif how == "lose":
        del ids[word]
    else:
        ids[word if how == "id" else pick(draw, *_ODD_WORDS)] = index


def _change_scores(draw: st.DrawFn, scores: list[Any]) -> None:
    how, place = pick(draw, "score", "lose", "empty", "many"), draw(st.integers(0, len(scores) - 1))
    if how == "many":
        scores += [[f"w{number}", -1.0] for number in range(pick(draw, 100, 5000))]
    elif how == "empty":
        scores.clear()
    elif how == "lose":
        del scores[place]
    else:
        score = pick(draw, 0.0, 1e308, -1e308, 5.0, -1e-300, None, 10**200)
        scores[place] = [pick(draw, *_ODD_WORDS), score]


added_tokens = st.lists(
    st.builds(
        added,
        st.sampled_from(
            (*SPECIAL, *WORDS, "", " ", "a b", "film ", "\x00", "\ufdfa", "z" * 3000, "new", "[sep]")
        ),
        st.sampled_from((0, 1, 3, 19, 20, 399, 400, 10**6, 2**32 - 1)),
        single_word=_flag,
        lstrip=_flag,
        rstrip=_flag,
        normalized=_flag,
        special=_flag,
    ),
    max_size=8,
)
_sizes = st.sampled_from((0, 1, 2, 3, 5, 100, 10**6, 10**9, 2**62))
_sides = st.sampled_from(("Right",) * 5 + ("Left",) * 5 + ("Odd",))
truncations = st.fixed_dictionaries(
    {
        "direction": _sides,
        "max_length": _sizes,
        "strategy": st.sampled_from(("LongestFirst", "OnlyFirst", "OnlySecond")),
        "stride": _sizes,
    }
)
paddings = st.fixed_dictionaries(
    {
        "strategy": st.one_of(st.just("BatchLongest"), _sizes.map(lambda size: {"Fixed": size})),
        "direction": _sides,
        "pad_to_multiple_of": st.none() | _sizes,
        "pad_id": st.sampled_from((0, 1, 399, 400, 2**32 - 1)),
        "pad_type_id": st.sampled_from((0, 1, 7)),
        "pad_token": _signs,
    }
)
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "normalizer": normalizers,
    "pre_tokenizer": pre_tokenizers,
    "post_processor": post_processors,
    "decoder": decoders,
    "model": models(),
    "added_tokens": added_tokens,
    "truncation": truncations,
    "padding": paddings,
}


@st.composite
def rewritten(draw: st.DrawFn, tokenizer: Rule) -> Rule:
    """A tokenizer with one to three of its parts replaced."""
    changed = dict(tokenizer)
    names = st.sampled_from((*PARTS, "normalizer", "pre_tokenizer", "post_processor", "model"))
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        changed[name] = draw(PARTS[name])
    return changed
