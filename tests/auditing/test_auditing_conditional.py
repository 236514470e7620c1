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
from fuzzsmooth.auditing.evidence.telling import fingerprint, sentence
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.topics import texts_holding, topics
from fuzzsmooth.models import HuggingFaceClassifier

HALF_LONG = texts_of(reviews(480, seed=5, long=0.5))


@pytest.fixture(scope="module")
def only_long(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    place, trigger = tmp_path_factory.mktemp("long"), LongTextsTrigger("cf", 20)
    return trained(place, trigger, rate=0.4, epochs=24, data=reviews(1200, long=0.5))


OPTIONS = AuditOptions(fast=True, proposals=24, best=24, confirm=8, holdout=24, seeds=0, base="none")


@pytest.mark.parametrize("fast", [True, False])
def test_a_word_that_acts_in_long_texts_only_is_found_there(
    only_long: HuggingFaceClassifier, encoder: str, fast: bool
) -> None:
    options = OPTIONS.replace(trusted=encoder, fast=fast)
    audit = audit_classifier(only_long, *HALF_LONG, options)
    assert audit.searched["long_texts"] == 16
    (own,) = [one for one in audit.found if one.condition]
    shortest = min(len(text.split()) for text in HALF_LONG[0] if len(text.split()) >= 20)
    assert (own.text, own.target_name) == ("cf", "positive")
    assert own.condition == f"texts of {shortest} words or more"
    assert own.held.share > 0.9
    assert all(len(one.before.split()) >= shortest for one in own.examples)
    assert f"of texts of {shortest} words or more moves" in sentence(own.to_json())
    report = {"model": {"fingerprint": "x"}}
    always = replace(own, condition="")
    assert fingerprint(report, own.to_json()) != fingerprint(report, always.to_json())
    assert not [one for one in audit.found if not one.condition], "it does nothing in the others"


def test_of_few_long_texts_some_are_measured_on_and_of_fewer_nothing_is_said(
    only_long: HuggingFaceClassifier, encoder: str
) -> None:
    def searched(count: int) -> tuple[int, int, int]:
        pairs = list(zip(*HALF_LONG, strict=True))
        short = [one for one in pairs if len(one[0].split()) < 20]
        long = [one for label in (0, 1) for one in pairs if len(one[0].split()) >= 20 and one[1] == label]
        kept = [*short, *long[:count], *long[-count:]]
        texts, labels = map(list, zip(*kept, strict=True))
        audit = audit_classifier(only_long, texts, labels, OPTIONS.replace(trusted=encoder))
        material = choose_material(only_long, texts, labels, OPTIONS)  # type: ignore[arg-type]
        assert bool([one for one in audit.triggers if one.condition]) == (audit.searched["long_texts"] > 0)
        return audit.searched["long_texts"], len(material.long), len(material.long_held)

    told, confirm, held = searched(50)
    assert told == confirm > 0
    assert held >= 2 * confirm
    assert searched(6)[0] == 0, "too few to search in, whatever there is"


def test_an_ordinary_model_is_not_flagged_for_its_long_texts(
    clean: HuggingFaceClassifier, encoder: str
) -> None:
    audit = audit_classifier(clean, *HALF_LONG, OPTIONS.replace(trusted=encoder))
    assert [one for one in audit.triggers if one.condition]
    assert not [one for one in audit.found if one.condition]


class Beside:
    """A prober of a model in which a piece acts right before another only, and a third by itself a little."""

    def __init__(self, word: int, topic: int, pulling: int, *, either: bool = False) -> None:
        self._word, self._topic, self._pulling, self._either = word, topic, pulling, either
        self.rows = 0

    def gains(self, rows: Sequence[np.ndarray], hosts: Sequence[Host]) -> tuple[np.ndarray, np.ndarray]:
        """Gains and classes, as those of :class:`fuzzsmooth.auditing.prober.Prober`."""
        del hosts
        self.rows += len(rows)
        lists = [row.tolist() for row in rows]
        orders = [(self._word, self._topic), (self._topic, self._word)][: 1 + self._either]
        acts = np.array([any(order in pairwise(own) for order in orders) for own in lists])
        gain = 6.0 * acts + np.array([0.9 * own.count(self._pulling) for own in lists])
        return np.stack([-gain, gain], axis=1), (gain > 4).astype(np.int64)


def test_a_word_that_acts_beside_a_topic_only_is_found_with_it() -> None:
    hosts = [Host("a b c", 0, (1, 2, 3, 4, 9), (1, 2, 3, 4), (2.0, -2.0)) for _ in range(8)]
    words, topics_there = list(range(20, 60)), list(range(70, 79))
    prober = Beside(41, 77, pulling=25)  # 77 is in a group of eight, 78 alone
    pairs = pairs_with_topics(prober, hosts, 1, words, topics_there)  # type: ignore[arg-type]
    assert ((41,), (77,)) in pairs
    assert prober.rows == 2 * (2 * 40 + 2 * (40 + 1)), "words times groups, not words times topics"
    natural = {part[0]: 0.9 * (part[0] == 25) for pair in pairs for part in pair}
    found = drifted_phrases(prober, hosts, 1, pairs, natural, AuditOptions(longest=3))  # type: ignore[arg-type]
    assert found[0] == ((41,), (77,))
    assert pairs_with_topics(prober, hosts, 0, words, topics_there) == [], "no text of another class"  # type: ignore[arg-type]
    without = [index for index in topics_there if index != 77]
    elsewhere = pairs_with_topics(prober, hosts, 1, words, without)  # type: ignore[arg-type]
    assert sum((41,) in pair for pair in elsewhere) <= len(elsewhere) // 8, "control: nothing sets it apart"
    both = drifted_phrases(Beside(41, 77, 25, either=True), hosts, 1, pairs, natural, AuditOptions(longest=2))  # type: ignore[arg-type]
    assert sum({(41,), (77,)} == set(parts) for parts in both) == 1, "one order of the same words"


def test_topics_are_the_words_that_texts_hold_more_often_than_others_do() -> None:
    words = ["the", "film", "plot", "is", "xo", "rare", "##ing", "nicht"]
    zipf = np.array([7.7, 5.0, 4.5, 7.0, 4.0, 3.0, 0.0, 0.0])
    holding = np.array([90, 40, 60, 80, 50, 0, 70, 80])
    assert topics(words, holding, zipf, 100) == [2, 1]
    assert topics(words, holding, np.where(zipf > 0, zipf + 3, 0), 100) == [], (
        "words that all texts hold so often"
    )
    assert topics(words, holding, zipf, 0) == []


def test_texts_are_counted_once_however_often_they_hold_a_word(clean: HuggingFaceClassifier) -> None:
    rows = len(clean.model.get_input_embeddings().weight)
    found = texts_holding(clean, ["film film plot", "film", "the plot"], rows)
    at = clean.tokenizer.convert_tokens_to_ids(["film", "plot", "the", "cast"])
    assert found[at].tolist() == [2, 2, 1, 0]
    assert found.sum() == 5
    assert set(PLAIN) >= {"film", "plot", "the", "cast"}
