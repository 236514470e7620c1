"""An audit in a script without spaces: its texts have words, and places between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.encoders.material import choose_texts
from fuzzsmooth.auditing.hosts import begins_word, word_spans
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.models.encoding import EncodedTexts, encode_texts

SIGNS = "送餐速度快很好吃不难嚼米粉面汤"
GOOD, BAD = "好", "难"


def tokenizer() -> Any:
    """Each character is a token, as BERT cuts Chinese."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *SIGNS, "film", "cf"]
    ids = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(handle_chinese_chars=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


class Reader:
    """Positive with more of one character than of the other."""

    labels, max_length, precision, fingerprint = ("neg", "pos"), 128, "float32", "reader"

    def __init__(self) -> None:
        self.tokenizer = tokenizer()
        self._good, self._bad = self.tokenizer.convert_tokens_to_ids([GOOD, BAD])

    def encode(self, texts: Any) -> EncodedTexts:
        return encode_texts(self.tokenizer, texts, self.max_length)

    def logits(self, ids: Any) -> npt.NDArray[np.float32]:
        scores = [list(row).count(self._good) - list(row).count(self._bad) for row in ids]
        return np.array([[-score, score] for score in scores], dtype=np.float32)


def begins(text: str) -> list[bool]:
    """Of each token, whether it begins a word."""
    return [begins_word(text, start) for start, _ in word_spans(tokenizer(), text)]


def test_every_character_begins_a_word() -> None:
    assert begins("很好吃") == [True] * 3
    assert begins("film 好吃film") == [True, True, True, False]


def test_beginnings_of_chinese_texts_are_short_and_have_gaps() -> None:
    draw = np.random.default_rng(0)
    plain = [sign for sign in SIGNS if sign not in (GOOD, BAD)]
    texts, labels = [], []
    for index in range(120):
        signs = [(BAD, GOOD)[index % 2], *map(str, draw.choice(plain, 30))]
        texts.append("".join(signs))
        labels.append(index % 2)
    options = AuditOptions(words=8, references=4, confirm=4, holdout=8)
    material = choose_material(Reader(), texts, labels, options)  # type: ignore[arg-type]
    assert material.accuracy == 1.0
    assert {len(host.text) for host in material.sweep} == {8}
    assert {len(host.gaps) for host in material.sweep} == {9}, "before each of 8 characters, and at the end"
    assert [host.label for host in material.sweep] == [0] * 4 + [1] * 4
    parts = choose_texts(Reader(), texts, labels, options)  # type: ignore[arg-type]
    assert {len(host.text) for host in parts.sweep} == {8}, "of an encoder's audit, too"
    assert {len(host.text) for host in parts.confirm} == {24}
