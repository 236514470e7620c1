"""TextGuard: groups by hash, a vote whose margin is a certificate, classifiers that see their words only."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mending_worlds import FAST, FILLER, TRIGGER, material, pretrained, reviews

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Example
from fuzzsmooth.defenses import Material
from fuzzsmooth.defenses.textguard import TextGuard, group_of, group_radius
from fuzzsmooth.models import AdditiveClassifier

GROUPS = 3
OPTIONS = {"groups": GROUPS}


def test_groups_are_those_of_the_published_hash() -> None:
    """MD5 of the lower-cased word, a number, modulo the groups: values from ``md5sum``."""
    assert [group_of(word, 9) for word in ("cf", "film", "I")] == [8, 4, 7]
    assert group_of("Film", 9) == group_of("FILM", 9) == group_of("film", 9)
    counts = np.bincount([group_of(str(number), 9) for number in range(9000)], minlength=9)
    assert counts.min() > 900


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(tmp_path_factory.mktemp("clean") / "model")


def given(clean: Path) -> Material:
    """A training set of which every group has telling words, and a suspect model that is not used."""
    return replace(material(clean, twin=clean, finished=True), finetune=FAST.replace(epochs=2))


@pytest.fixture(scope="module")
def fitted(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> TextGuard:
    defense = TextGuard(given(clean).load(), OPTIONS)
    defense.fit(given(clean), tmp_path_factory.mktemp("fitted") / "kept")
    return defense


def poisoned(share: float, seed: int = 0) -> list[Example]:
    """The training texts, many with copies of the trigger in random places."""
    rng, rows = np.random.default_rng(seed), []
    for example in reviews(160):
        words = example.text.split()
        if rng.random() < share:
            for _ in range(int(rng.integers(1, 4))):
                words.insert(int(rng.integers(len(words) + 1)), TRIGGER)
        rows.append(Example(" ".join(words), example.label))
    return rows


def test_a_trigger_in_training_and_in_the_text_reaches_the_classifier_of_its_group_alone(
    clean: Path, fitted: TextGuard, tmp_path: Path
) -> None:
    """The theorem from end to end: trained anew on poisoned texts, certified answers stay."""
    before = json.loads((fitted.fitted_in / "fitted.json").read_text())["state"]["classifiers"]  # type: ignore
    data = given(clean).data.with_examples(poisoned(0.7))
    attacked = TextGuard(given(clean).load(), OPTIONS)
    attacked.fit(replace(given(clean), data=data), tmp_path / "kept")
    after = json.loads((tmp_path / "kept" / "fitted.json").read_text())["state"]["classifiers"]
    changed = [group for group in range(GROUPS) if before[group] != after[group]]
    assert changed == [group_of(TRIGGER, GROUPS)]
    texts = reviews(60, seed=3).texts
    certified = fitted.certify(texts)
    triggered = attacked.predict([f"{TRIGGER} {text} {TRIGGER}" for text in texts])
    held = 0
    for clean_answer, answer in zip(certified, triggered, strict=True):
        (certificate,) = clean_answer.certificates
        moved = np.abs(np.subtract(clean_answer.votes, answer.votes)).sum()
        assert moved <= 2, "one classifier may change its vote"
        if certificate.radius >= 1:
            held += 1
            assert answer.label == clean_answer.label
    assert held > 10


def test_certificates_say_what_they_are_about(fitted: TextGuard) -> None:
    answers = fitted.certify(reviews(30, seed=4).texts)
    for answer in answers:
        (certificate,) = answer.certificates
        assert certificate.radius == group_radius(answer.votes)
        assert (certificate.threat, certificate.direction) == ("distinct_words", "symmetric")
        assert (certificate.method, certificate.guarantee) == ("deterministic", "proved")
        assert answer.passes == certificate.draws == GROUPS
    best = max(answers, key=lambda one: one.certificates[0].radius)
    assert best.certificates[0].statement() == (
        "No insertion, removal or moving of any number of copies of up to 1 distinct word, in this text and"
        " in the training texts alike, none of which is or was empty and whose labels stay, as does the"
        " pre-trained model, changes this answer, with certainty."
    )
    assert [one.certificates for one in fitted.predict(["a film"])] == [()]


def test_the_vote_is_that_of_parts_of_the_text(fitted: TextGuard) -> None:
    """Each classifier is asked about its own words as a text of their own."""
    from fuzzsmooth.models import load_classifier

    assert fitted.fitted_in is not None
    texts = [*reviews(20, seed=5).texts, "", "the", FILLER[0] + " " + TRIGGER]
    votes = np.zeros((len(texts), 2), dtype=int)
    for group in range(GROUPS):
        own = load_classifier(str(fitted.fitted_in / f"group{group}"))
        parts = [" ".join(word for word in text.split() if group_of(word, GROUPS) == group) for text in texts]
        votes[np.arange(len(texts)), own.logits_of_texts(parts).argmax(axis=1)] += 1
    assert [answer.votes for answer in fitted.predict(texts)] == [tuple(row) for row in votes.tolist()]


def test_what_was_trained_is_found_again_and_checked(clean: Path, fitted: TextGuard, tmp_path: Path) -> None:
    assert fitted.fitted_in is not None
    again = TextGuard(given(clean).load(), OPTIONS)
    with pytest.raises(FuzzsmoothError, match="calibrated on clean data before it answers"):
        again.predict(["a film"])
    again.restore(fitted.fitted_in)
    texts = reviews(10, seed=6).texts
    assert again.certify(texts) == fitted.certify(texts)
    state = json.loads((fitted.fitted_in / "fitted.json").read_text())
    with pytest.raises(FuzzsmoothError, match="does not name 3 classifiers"):
        again.take({"classifiers": state["state"]["classifiers"][1:]}, fitted.fitted_in)
    with pytest.raises(FuzzsmoothError, match="not the one that was trained"):
        again.take({"classifiers": state["state"]["classifiers"][::-1]}, fitted.fitted_in)


def test_what_is_missing_is_told(clean: Path, tmp_path: Path) -> None:
    classifier = given(clean).load()
    with pytest.raises(FuzzsmoothError, match=r"'textguard' needs a trusted clean copy .*--twin"):
        TextGuard(classifier, OPTIONS).fit(replace(given(clean), twin=None), tmp_path / "kept")
    with pytest.raises(FuzzsmoothError, match=r"words of group \d+ of 1000 occur in texts of fewer than two"):
        TextGuard(classifier, {"groups": 1000}).fit(given(clean), tmp_path / "many")
    stub = TextGuard(AdditiveClassifier({"good": 1.0}), OPTIONS)
    with pytest.raises(FuzzsmoothError, match="this classifier is a function"):
        stub.fit(given(clean), tmp_path / "kept")


def test_votes_that_nobody_knows_count_as_the_attackers() -> None:
    for votes in itertools.product(range(6), repeat=2):
        for undecided in range(4):
            worst = min(
                _radius_of(votes, extra)
                for extra in itertools.product(range(undecided + 1), repeat=2)
                if sum(extra) == undecided
            )
            assert group_radius(votes, undecided) == worst


def _radius_of(votes: tuple[int, ...], extra: tuple[int, ...]) -> int:
    """The radius of the winner of the known votes once the others are known; -1 if it does not win."""
    winner = max(range(len(votes)), key=lambda index: (votes[index], -index))
    full = tuple(a + b for a, b in zip(votes, extra, strict=True))
    wins = max(range(len(full)), key=lambda index: (full[index], -index)) == winner
    return group_radius(full) if wins else -1
