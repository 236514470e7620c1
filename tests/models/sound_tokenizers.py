"""Tokenizers of every kind with nothing wrong in them, as tokenizer.json describes them."""

from __future__ import annotations

from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("a", "good", "film", "bad", "dull", "é", "影", "[SE", "##m", "▁film", "▁", "Ġfilm", "fi", "x")
ROWS = 400  # embeddings of the models that go with them

Rule = dict[str, Any]


def added(content: str, index: int, **flags: bool) -> Rule:
    """An added token as tokenizer.json has it."""
    sound = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": index, "content": content, **sound, **flags}


def _alphabet() -> list[str]:
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())


def sound_models() -> dict[str, Rule]:
    """A model of every kind, with about the same words."""
    ids = {token: index for index, token in enumerate((*SPECIAL, *WORDS))}
    letters = (*SPECIAL, *_alphabet(), "fi", "film")
    scores = [[token, -float(index)] for index, token in enumerate((*SPECIAL, *WORDS, *"adfgilmou"))]
    return {
        "WordLevel": {"type": "WordLevel", "vocab": ids, "unk_token": "[UNK]"},
        "WordPiece": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
        "BPE": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(letters)},
            "merges": [["f", "i"]],
        },
        "Unigram": {"type": "Unigram", "unk_id": 1, "vocab": scores, "byte_fallback": False},
    }


_SPLITTERS: dict[str, Rule] = {
    "WordLevel": {"type": "WhitespaceSplit"},
    "WordPiece": {"type": "BertPreTokenizer"},
    "BPE": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "Unigram": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
}


def template(before: str = "[CLS]", after: str = "[SEP]") -> Rule:
    """What puts special tokens around a text."""
    ends = [{"SpecialToken": {"id": name, "type_id": 0}} for name in (before, after)]
    text: Rule = {"Sequence": {"id": "A", "type_id": 0}}
    other: Rule = {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "type": "TemplateProcessing",
        "single": [ends[0], text, ends[1]],
        "pair": [ends[0], text, ends[1], other, ends[1]],
        "special_tokens": {
            name: {"id": name, "ids": [SPECIAL.index(name) if name in SPECIAL else 0], "tokens": [name]}
            for name in (before, after)
        },
    }


def sound_tokenizer(kind: str) -> Rule:
    """A whole tokenizer.json."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(name, index) for index, name in enumerate(SPECIAL)],
        "normalizer": {"type": "Lowercase"} if kind == "WordPiece" else None,
        "pre_tokenizer": _SPLITTERS[kind],
        "post_processor": template(),
        "decoder": None,
        "model": sound_models()[kind],
    }
