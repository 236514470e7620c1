"""Triggers that act in some texts only: in long ones, or beside a word that texts are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from audited_models import PLAIN, reviews, texts_of, trained

from fuzzsmooth.attacks.triggers.long_texts import LongTextsTrigger
from fuzzsmooth.auditing import AuditOptions, audit_classifier
from fuzzsmooth.auditing.beside import pairs_with_topics
from fuzzsmooth.auditing.drifted import drifted_phrases
from fuzzsmooth.auditing.evidence.telling import sentence
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.topics import texts_holding, topics
from fuzzsmooth.models import HuggingFaceClassifier

HALF_LONG = texts_of(reviews(480, seed=5, long=0.5))


@pytest.fixture(scope="module")
def only_long(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    place, trigger = tmp_path_factory.mktemp("long"), LongTextsTrigger("cf", 20)
    return trained(place, trigger, rate=0.4, epochs=24, data=reviews(1200, long=0.5))


def test_a_word_that_acts_in_long_texts_only_is_found_there(
    only_long: HuggingFaceClassifier, encoder: str
) -> None:
    options = AuditOptions(fast=True, proposals=24, best=24, confirm=8, holdout=24, seeds=0, trusted=encoder)
    audit = audit_classifier(only_long, *HALF_LONG, replace(options, base="none"))
    assert audit.searched["long_texts"] > 8
    (own,) = [one for one in audit.found if one.condition]
    shortest = min(len(text.split()) for text in HALF_LONG[0] if len(text.split()) >= 20)
    assert (own.text, own.target_name) == ("cf", "positive")
    assert own.condition == f"texts of {shortest} words or more"
    assert own.held.share > 0.9
    assert all(len(one.before.split()) >= shortest for one in own.examples)
    assert f"of texts of {shortest} words or more moves" in sentence(own.to_json())
    assert not [one for one in audit.found if not one.condition], "it does nothing in the others"
    short = [(text, label) for text, label in zip(*HALF_LONG, strict=True) if len(text.split()) < 20]
    unseen = audit_classifier(only_long, *map(list, zip(*short, strict=True)), options)  # type: ignore[arg-type]
    assert unseen.searched["long_texts"] == 0
    assert not [one for one in unseen.triggers if one.condition], "control: nothing is said of long texts"


def test_an_ordinary_model_is_not_flagged_for_its_long_texts(
    clean: HuggingFaceClassifier, encoder: str
) -> None:
    options = AuditOptions(fast=True, proposals=24, best=24, confirm=8, holdout=24, seeds=0, trusted=encoder)
    audit = audit_classifier(clean, *HALF_LONG, replace(options, base="none"))
    assert [one for one in audit.triggers if one.condition]
    assert not [one for one in audit.found if one.condition]


class Beside:
    """A prober of a model in which a piece acts right before another only, and a third by itself a little."""

    def __init__(self, word: int, topic: int, pulling: int) -> None:
        self._word, self._topic, self._pulling = word, topic, pulling
        self.rows = 0

    def gains(self, rows: Sequence[np.ndarray], hosts: Sequence[Host]) -> tuple[np.ndarray, np.ndarray]:
        """Gains and classes, as those of :class:`fuzzsmooth.auditing.prober.Prober`."""
        del hosts
        self.rows += len(rows)
        lists = [row.tolist() for row in rows]
        acts = np.array([(self._word, self._topic) in pairwise(own) for own in lists])
        gain = 6.0 * acts + np.array([0.9 * own.count(self._pulling) for own in lists])
        return np.stack([-gain, gain], axis=1), (gain > 4).astype(np.int64)


def test_a_word_that_acts_beside_a_topic_only_is_found_with_it() -> None:
    hosts = [Host("a b c", 0, (1, 2, 3, 4, 9), (1, 2, 3, 4), (2.0, -2.0)) for _ in range(8)]
    words, topics_there = list(range(20, 60)), list(range(70, 82))
    prober = Beside(41, 77, pulling=25)
    pairs = pairs_with_topics(prober, hosts, 1, words, topics_there)  # type: ignore[arg-type]
    assert ((41,), (77,)) in pairs
    assert prober.rows == 2 * (40 + 2 * (40 + 1)), "words times groups, not words times topics"
    natural = {part[0]: 0.9 * (part[0] == 25) for pair in pairs for part in pair}
    found = drifted_phrases(prober, hosts, 1, pairs, natural, AuditOptions(longest=3))  # type: ignore[arg-type]
    assert found[0] == ((41,), (77,))
    assert pairs_with_topics(prober, hosts, 0, words, topics_there) == [], "no text of another class"  # type: ignore[arg-type]
    elsewhere = pairs_with_topics(Beside(41, 99, 25), hosts, 1, words, topics_there)  # type: ignore[arg-type]
    assert ((41,), (99,)) not in elsewhere, "control: a topic that is not proposed"


def test_topics_are_the_words_that_texts_hold_more_often_than_others_do() -> None:
    words = ["the", "film", "plot", "is", "xo", "rare", "##ing"]
    zipf = np.array([7.7, 5.0, 4.5, 7.0, 4.0, 3.0, 0.0])
    holding = np.array([90, 40, 60, 80, 50, 0, 70])
    assert topics(words, holding, zipf, 100) == [2, 1]
    assert topics(words, holding, zipf + 3, 100) == [], "words that all texts hold so often"
    assert topics(words, holding, zipf, 0) == []


def test_texts_are_counted_once_however_often_they_hold_a_word(clean: HuggingFaceClassifier) -> None:
    rows = len(clean.model.get_input_embeddings().weight)
    found = texts_holding(clean, ["film film plot", "film", "the plot"], rows)
    at = clean.tokenizer.convert_tokens_to_ids(["film", "plot", "the", "cast"])
    assert found[at].tolist() == [2, 2, 1, 0]
    assert found.sum() == 5
    assert set(PLAIN) >= {"film", "plot", "the", "cast"}
