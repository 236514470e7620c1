"""The built-in corpus: deterministic, balanced, grammatical, and not solvable by counting words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Splits, reviews
from fuzzsmooth.data.builtin.grammar import LONGEST, SHORTEST, indefinite, write_review
from fuzzsmooth.data.builtin.lexicon import FILM, GADGETS, RESTAURANT, SLOTS
from fuzzsmooth.data.builtin.reviews import _belongs_to

TOPICS = (FILM, RESTAURANT, *GADGETS)


@pytest.fixture(scope="module")
def corpus() -> Splits:
    return reviews(2000, 400, seed=0)


def test_sizes_names_and_balance(corpus: Splits) -> None:
    assert (len(corpus.train), len(corpus.test)) == (2000, 400)
    assert corpus.train.labels == corpus.test.labels == ("negative", "positive")
    assert (corpus.train.name, corpus.test.name) == ("builtin:reviews[train]", "builtin:reviews[test]")
    for dataset in corpus.train, corpus.test:
        assert sum(dataset.targets) * 2 == len(dataset)
        assert dataset.skipped == ()


def test_a_review_depends_on_seed_split_and_index_only(corpus: Splits) -> None:
    assert corpus.train.fingerprint.startswith("4e91c1f4f02d70ec"), "results were measured on these texts"
    smaller = reviews(300, 50, seed=0)
    assert smaller.train.examples == corpus.train.examples[:300]
    assert smaller.test.examples == corpus.test.examples[:50]
    assert reviews(300, 50, seed=0).train.fingerprint == smaller.train.fingerprint
    other = reviews(300, 50, seed=1)
    assert not set(other.train.texts) & set(smaller.train.texts)


def test_lengths(corpus: Splits) -> None:
    lengths = [len(text.split()) for text in corpus.train.texts + corpus.test.texts]
    assert min(lengths) >= SHORTEST == 8
    assert max(lengths) <= LONGEST == 35


def test_no_text_twice_and_no_judgment_in_both_splits(corpus: Splits) -> None:
    for dataset in corpus.train, corpus.test:
        assert len(set(dataset.texts)) == len(dataset)
    sentences = [
        {_judgments(text) for text in dataset.texts}
        for dataset in (corpus.train, reviews(2, 400, seed=5).test)
    ]
    assert not sentences[0] & sentences[1]
    assert not sentences[0] & {_judgments(text) for text in corpus.test.texts}


def _facts() -> re.Pattern[str]:
    slots = {name: "|".join(map(re.escape, words)) for name, words in SLOTS.items()}
    facts = {re.escape(fact) for topic in TOPICS for fact in topic.facts}
    filled = [re.sub(r"\\\{(\w+)\\\}", lambda match: f"(?:{slots[match[1]]})", fact) for fact in facts]
    return re.compile("|".join(filled))


FACTS = _facts()


def _judgments(text: str) -> str:
    """A review without its neutral sentences, recognized independently of the generator."""
    sentences = [sentence.strip() for sentence in re.findall(r"[^.]+\.", text)]
    return " ".join(sentence for sentence in sentences if not FACTS.fullmatch(sentence))


def test_the_split_is_decided_by_the_judgments_alone() -> None:
    drawn = [write_review(index % 2, np.random.default_rng(index)) for index in range(500)]
    share = np.mean([_belongs_to(review) == "test" for review in drawn])
    assert 0.12 < share < 0.28
    for review in drawn:
        assert _judgments(review.text) == review.core


def test_reads_as_english(corpus: Splits) -> None:
    plurals = {aspect.noun for topic in TOPICS for aspect in topic.aspects if aspect.number == "plural"}
    for text in corpus.train.texts + corpus.test.texts:
        assert not re.search(r"[{}\[\]|+~]| {2}|\.\.|,\.| [.,;]", text), text
        assert text.endswith(".")
        assert all(sentence.strip()[0].isupper() for sentence in re.findall(r"[^.]+\.", text)), text
        assert not re.search(r"\b[Aa] [aeio]", text), text
        assert not re.search(r"\b[Aa]n [^aeioh]", re.sub(r"\b[Aa]n u(?!ni|se)", "an a", text)), text
        assert not re.search(r"\b(\w+) \1\b", text), text
        for noun, be in re.findall(r"[Tt]he ([a-z ]+?) (is|are|was|were)\b", text):
            if noun in plurals:
                assert be in ("are", "were"), text


def test_articles() -> None:
    assert [
        indefinite(word) for word in ("ugly end", "useless lid", "honest man", "plot", "hour", "unit")
    ] == [
        "an ugly end",
        "a useless lid",
        "an honest man",
        "a plot",
        "an hour",
        "a unit",
    ]


def test_the_polarities_are_disjoint_and_sized_alike() -> None:
    for topic in TOPICS:
        pairs = [topic.wholes, topic.reactions, *(aspect.adjectives for aspect in topic.aspects)]
        for negative, positive in pairs:
            assert not set(negative) & set(positive)
            assert len(negative) == len(positive)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_counting_words_stays_under_ninety_percent(seed: int) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    linear = pytest.importorskip("sklearn.linear_model")
    corpus = reviews(2000, 500, seed=seed)
    for longest, floor in ((1, 0.68), (2, 0.75)):
        counts = text.CountVectorizer(ngram_range=(1, longest))
        model = linear.LogisticRegression(max_iter=2000)
        model.fit(counts.fit_transform(corpus.train.texts), corpus.train.targets)
        accuracy = model.score(counts.transform(corpus.test.texts), corpus.test.targets)
        # Below the floor the corpus would be all riddles; above .9 counting words would do.
        assert floor < accuracy < 0.9


def test_neutral_sentences_and_openings_do_not_give_the_class_away() -> None:
    """Control: with the judgments removed, what is left predicts nothing."""
    text = pytest.importorskip("sklearn.feature_extraction.text")
    linear = pytest.importorskip("sklearn.linear_model")
    corpus = reviews(2000, 500, seed=3)
    parts = []
    for dataset in corpus.train, corpus.test:
        parts.append([_neutral(example_text) for example_text in dataset.texts])
    counts = text.CountVectorizer()
    model = linear.LogisticRegression(max_iter=2000)
    model.fit(counts.fit_transform(parts[0]), corpus.train.targets)
    assert 0.4 < model.score(counts.transform(parts[1]), corpus.test.targets) < 0.6


def _neutral(text: str) -> str:
    sentences = [sentence.strip() for sentence in re.findall(r"[^.]+\.", text)]
    return " ".join(sentence for sentence in sentences if FACTS.fullmatch(sentence))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_size": 1}, "train_size"),
        ({"test_size": 0}, "test_size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_sizes_out_of_range(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        reviews(**arguments)
