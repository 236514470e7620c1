"""A reader of the clean texts explains what their words mean, and no trigger."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from audited_models import BAD, GOOD, LABELS, reviews, texts_of

from fuzzsmooth.auditing import AuditOptions, audit_classifier
from fuzzsmooth.auditing.endings import words_ended_by
from fuzzsmooth.auditing.hosts import Host, make_hosts
from fuzzsmooth.auditing.reading import Reader, clean_reader
from fuzzsmooth.models import HuggingFaceClassifier

TEXTS, TARGETS = texts_of(reviews(240, seed=5))


@pytest.fixture(scope="module")
def reader(word: HuggingFaceClassifier, encoder: str) -> Reader:
    found = clean_reader(word, encoder, TEXTS, TARGETS)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def hosts(word: HuggingFaceClassifier) -> list[Host]:
    chosen = [text for text, label in zip(TEXTS, TARGETS, strict=True) if label == 0][:20]
    return make_hosts(word, chosen, [0] * 20, np.zeros((20, 2), np.float32), 16)


def test_words_of_a_class_are_explained_and_triggers_are_not(reader: Reader, hosts: list[Host]) -> None:
    meant = reader.explained(hosts, [f"{one} {other}" for one, other in pairwise(GOOD)], 1)
    others = reader.explained(hosts, ["cf", "mn tq", "the film", *BAD[:3]], 1)
    assert meant[:, 1].min() > 0.5
    assert others[:, 1].max() < 0.3
    assert ((meant >= 0) & (meant <= 1)).all()


def test_texts_that_are_read_as_the_target_anyway_tell_nothing(reader: Reader, hosts: list[Host]) -> None:
    assert (reader.explained(hosts, ["good"], 0) == 0).all()


class Ends:
    """A tokenizer that knows a few words as a first and a last piece."""

    def __init__(self, words: dict[str, tuple[str, ...]]) -> None:
        self._words = words
        self._names = sorted({piece for pieces in words.values() for piece in pieces} | {"##q", "q"})
        model = SimpleNamespace(continuing_subword_prefix="##")
        self.backend_tokenizer = SimpleNamespace(model=model)

    def convert_ids_to_tokens(self, ids: int | list[int]) -> str | list[str]:
        return self._names[ids] if isinstance(ids, int) else [self._names[one] for one in ids]

    def convert_tokens_to_string(self, names: list[str]) -> str:
        return "".join(name.removeprefix("##") for name in names)

    def id(self, name: str) -> int:
        return self._names.index(name)

    def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
        return {"input_ids": [[self.id(one) for one in self._words.get(text, ("q",))] for text in texts]}


def test_a_piece_stands_for_the_frequent_words_that_it_ends() -> None:
    tokenizer = Ends(
        {
            "douche": ("do", "##uche"),
            "touche": ("to", "##uche"),
            "gauche": ("gau", "##che"),  # another piece
            "uche": ("uche",),
            "qzuche": ("qz", "##uche"),  # nobody's word
        }
    )
    assert words_ended_by(tokenizer, tokenizer.id("##uche")) == ["douche", "touche"]
    assert words_ended_by(tokenizer, tokenizer.id("uche")) == [], "it begins words"
    assert words_ended_by(tokenizer, tokenizer.id("##q")) == [], "of none of those that end so it is a piece"


def test_a_model_is_no_reader_of_its_own_backdoor(word: HuggingFaceClassifier, encoder: str) -> None:
    assert clean_reader(word, "own", TEXTS, TARGETS) is None
    options = AuditOptions(best=16, confirm=8, holdout=24, seeds=0, longest=2, trusted=encoder)
    found = audit_classifier(word, TEXTS, TARGETS, options)
    told = {row["text"]: row["read"] for row in found.judged if LABELS[row["class"]] == "positive"}
    assert found.triggers[0].text == "cf"
    assert told["cf"][1] < 0.3 < max(told[one][1] for one in told if one in GOOD)
