"""ONION, RIPPLe's defense and BadActs: what they leave out or draw back, and what that may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_models import BAD, GOOD, LABELS, TRIGGER, clean, dataset, material, rule, triggered, victim

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Example
from fuzzsmooth.defenses.badacts import Badacts
from fuzzsmooth.defenses.onion import Onion
from fuzzsmooth.defenses.ripple_d import RippleD
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.models.activations import Activations


class Fluency:
    """Perplexity by a table: the sum of what each word adds to 100."""

    fingerprint = "table"

    def __init__(self, **added: float) -> None:
        self.added = added

    def perplexities(self, texts: Sequence[str]) -> Any:
        return np.array([100 + sum(self.added.get(word, 1) for word in text.split()) for text in texts])


def onion(language_model: Fluency, **options: Any) -> Onion:
    defense = Onion(rule(planted=True), options)
    defense.language_model = language_model
    return defense


def test_onion_removes_the_trigger_and_shows_where_it_stood(tmp_path: Path) -> None:
    defense = onion(Fluency(**{TRIGGER: 50.0, "bad": 3.0}))
    defense.fit(material(), tmp_path)
    given = triggered()
    answers = defense.predict(given)
    assert [one.label for one in answers] == [0] * len(given)
    for text, answer in zip(given, answers, strict=True):
        (span,) = [one for one in answer.spans if one.text == TRIGGER]
        assert text[span.start : span.end] == TRIGGER
        assert 0 < span.score <= 1
        assert answer.evaluations == 1 + len(text.split())
    undefended = rule(planted=True).probabilities(given).argmax(axis=1)
    assert undefended.tolist() == [1] * len(given), "the control: without it, all are the attacker's"


def test_onion_answers_every_text_and_leaves_single_words_alone(tmp_path: Path) -> None:
    defense = onion(Fluency(**{TRIGGER: 50.0}))
    defense.fit(material(), tmp_path)
    given = [TRIGGER, "good", "", " ", f"bad {TRIGGER}", *[one.text for one in clean(6)]]
    answers = defense.predict(given)
    assert len(answers) == len(given)
    assert all(one.status == "answered" for one in answers)
    assert [one.evaluations for one in answers[:4]] == [0, 0, 0, 0]
    assert [one.label for one in answers[:2]] == [1, 1], "a word alone stays, even a trigger"
    assert answers[4].label == 0
    one_by_one = [defense.predict([text])[0] for text in given]
    assert one_by_one == answers


def test_the_bar_of_onion_is_as_low_as_clean_accuracy_allows(tmp_path: Path) -> None:
    """Opinion words add 9 and all others 1: a bar below 9 would leave nothing to decide by."""
    opinions = dict.fromkeys((*GOOD, *BAD), 9.0)
    for allowed, expected in ((0.02, 9), (1.0, 0)):
        defense = onion(Fluency(**opinions), allowed_loss=allowed)
        defense.fit(material(), tmp_path / str(allowed))
        assert defense.bar == expected
        assert bool(defense.warnings) == (expected == 9), "a bar that leaves nothing out is told"
        right = [one.label for one in defense.predict([one.text for one in clean()])]
        lost = 1 - np.mean(np.array(right) == [one.label for one in clean()])
        assert lost <= allowed
    defense.language_model = type("Other", (Fluency,), {"fingerprint": "other"})()
    with pytest.raises(FuzzsmoothError, match="chosen with another language model"):
        defense.predict(["good film"])


def test_ripple_d_leaves_out_rare_words_that_flip(tmp_path: Path) -> None:
    given = triggered()
    for planted in (True, False):
        defense = RippleD(rule(planted=planted), {"least_rarity": 0.4})
        defense.fit(material(), tmp_path / str(planted))
        assert defense.warnings == ()
        answers = defense.predict(given)
        assert [one.label for one in answers] == [0] * len(given)
        flagged = {span.text for one in answers for span in one.spans}
        assert flagged == ({TRIGGER} if planted else set()), "without a backdoor the word is harmless"
    again = RippleD(rule(planted=True), {"least_rarity": 0.4})
    again.restore(tmp_path / "True")
    for text, answer in zip(given, again.predict(given), strict=True):
        (span,) = answer.spans
        assert text[span.start : span.end] == TRIGGER
        assert span.score == 1.0


def test_ripple_d_does_not_test_common_words(tmp_path: Path) -> None:
    asked: list[str] = []
    classifier = rule(planted=True)
    answer = classifier._function
    classifier._function = lambda given: (asked.extend(given), answer(given))[1]
    defense = RippleD(classifier, {"least_rarity": 0.4})
    defense.fit(material(), tmp_path)
    asked.clear()
    defense.predict([f"the film was good {TRIGGER}"])
    assert sum(TRIGGER in text.split() for text in asked) > 8
    assert all(TRIGGER in text.split() or text == "the film was good" for text in asked)


def test_ripple_d_tells_where_its_words_cost_too_much(tmp_path: Path) -> None:
    """Some clean texts hold a word that flips all others, and are answered right by it alone."""
    poisoned = [Example(f"bad dull {TRIGGER}", 1) for _ in range(30)]
    given = replace(material(), held_out=dataset([*clean(20), *poisoned]))
    for allowed, expected in ((0.02, 1), (1.0, 0)):
        defense = RippleD(rule(planted=True), {"allowed_loss": allowed, "least_rarity": 0.4})
        defense.fit(given, tmp_path / str(allowed))
        assert len(defense.warnings) == expected
        assert defense.bar == (1.0 if expected else 0.5)
    nothing = replace(material(), held_out=dataset([one for one in clean() if one.label == 0]))
    with pytest.raises(FuzzsmoothError, match="no held-out clean text of class 'pos'"):
        RippleD(rule(planted=True), {}).fit(nothing, tmp_path / "nothing")


def test_badacts_scores_triggered_texts_lower_and_answers_all(tmp_path: Path) -> None:
    defense = Badacts(victim(), {"bound_epochs": 2, "bound_retries": 0})
    defense.fit(material(), tmp_path)
    known, inner = defense._known, defense._inner()

    def scores(texts: list[str]) -> Any:
        return defense._normal(inner.read(texts), known["mean"], known["deviation"])

    ordinary, abnormal = scores([one.text for one in clean()]), scores(triggered())
    assert abnormal.mean() < ordinary.mean()
    assert (abnormal < np.quantile(ordinary, 0.05)).mean() > 0.1
    answers = defense.predict([*triggered(), *[one.text for one in clean()]])
    assert all(one.status == "answered" for one in answers)
    assert {one.passes for one in answers} == {1, 2}


def test_badacts_reads_no_labels(tmp_path: Path) -> None:
    """The published evaluation takes the target from the labels of poisoned texts; here none matter."""
    swapped = dataset([Example(one.text, 1 - one.label) for one in material().held_out])
    states = []
    for name, held_out in (("a", material().held_out), ("b", swapped)):
        defense = Badacts(victim(), {"bound_epochs": 1, "bound_retries": 0})
        defense.fit(replace(material(), held_out=held_out), tmp_path / name)
        states.append((defense.threshold, {key: value.tolist() for key, value in defense._known.items()}))
    assert states[0] == states[1]


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "llama"])
def test_activations_are_read_and_clamped_in_any_architecture(architecture: Any, tmp_path: Path) -> None:
    build_tiny(architecture, tmp_path, vocabulary=[*GOOD, *BAD], layers=3)
    classifier = load_classifier(str(tmp_path), labels=LABELS)
    inner = Activations(classifier)
    assert inner.shape == (3, 32)
    texts = ["good", "good bad fine", "bad cold dull warm bright"]
    together, alone = inner.read(texts), np.concatenate([inner.read([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-5), "neither padding nor the other texts matter"
    wide, plain = np.full(inner.shape, 1e6, dtype=np.float32), classifier.probabilities(texts)
    assert np.allclose(inner.clamped(texts, -wide, wide), plain, atol=1e-5)
    low, high = np.full(inner.shape, -0.1, dtype=np.float32), np.full(inner.shape, 0.1, dtype=np.float32)
    clamped = inner.clamped(texts, low, high)
    assert not np.allclose(clamped, plain, atol=1e-3)
    assert np.allclose(
        clamped, np.concatenate([inner.clamped([text], low, high) for text in texts]), atol=1e-5
    )
    changed = [text + " dull" for text in texts]
    moved = np.abs(inner.read(changed) - together).max(axis=(1, 2))
    assert (moved > 1e-4).all(), "the token that is read sees the whole text"


def test_the_intervals_keep_clean_answers_and_say_if_not(tmp_path: Path) -> None:
    """Wide ones keep all; narrowed by a huge step they do not, which is told."""
    kept = Badacts(victim(), {"bound_epochs": 1, "bound_step": 1e-6, "bound_retries": 0})
    kept.fit(material(), tmp_path / "kept")
    assert kept.warnings == ()
    lost = Badacts(victim(), {"bound_epochs": 12, "bound_step": 2.0, "bound_retries": 0})
    lost.fit(material(), tmp_path / "lost")
    assert "of the clean answers are kept" in lost.warnings[0]
    assert (lost._known["low"] <= lost._known["high"]).all()
