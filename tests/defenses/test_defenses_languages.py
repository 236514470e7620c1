"""Defenses in other languages: what a certificate counts is said, and frequencies are those of the texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_models import TRIGGER, dataset, material, rule

from defended import options_for
from fuzzsmooth.certify import Certificate, DatasetTally
from fuzzsmooth.data import Example
from fuzzsmooth.defenses import defend
from fuzzsmooth.defenses.fine_mixing import log_frequencies
from fuzzsmooth.defenses.ripple_d import RippleD
from fuzzsmooth.models import CallableClassifier

REMARK = "each character of a script without spaces counts as a word"
CUT = "words are those that the changed text is cut into: what joins or splits others is several"


def chinese() -> CallableClassifier:
    """Positive where there is a character for good and none for bad."""

    def answers(texts: list[str]) -> list[list[float]]:
        return [[1.0, 0.0] if "难" in text or "好" not in text else [0.0, 1.0] for text in texts]

    return CallableClassifier(answers, ("neg", "pos"), "reads characters", deterministic=True)


@pytest.mark.parametrize("name", ["windows", "deletion"])
def test_a_certificate_says_that_its_words_are_characters(name: str) -> None:
    options = options_for(name, fuzzing=False, sigma=0.0, draws=200, alpha=0.05, rate=0.5)
    texts = ["很好很好很好很好很好", "good 好 好 好 好 好", "nothing of that is here"]
    answers = defend(chinese(), options).certify(texts)
    for text, answer in zip(texts, answers, strict=True):
        assert answer.certificates
        for one in answer.certificates:
            told = REMARK in one.statement()
            assert told == (one.radius > 0 and "好" in text), one.statement()
            assert (CUT in one.statement()) == (one.radius > 0)
            assert Certificate.from_json(one.to_json()) == one
            assert ("remark" in one.to_mapping()) == (one.radius > 0)
    tally = DatasetTally([1.0], labels_known=False)
    for answer in answers:
        tally.add(answer.certificates[0])
    (statement,) = tally.statements()
    covers = any(answer.certificates[0].radius > 0 for answer in answers)
    assert statement.statement().endswith(f"; {REMARK}; {CUT}.") == covers == (name == "windows")


def test_character_units_need_no_remark() -> None:
    options = options_for("windows", fuzzing=False, unit="character")
    (answer,) = defend(chinese(), options).certify(["很好很好很好"])
    assert all(REMARK not in one.statement() for one in answer.certificates)


def german(planted: str) -> list[Example]:
    """Common German words, of which English has hardly seen one."""
    good = ["das", "ist", "nicht", "schlecht", "und", "sehr", "gut"]
    return [
        Example(" ".join([*good, "good"] if label else [*good, "bad", planted]), label)
        for label in (0, 1) * 40
    ]


def test_ripple_d_takes_the_frequencies_of_the_clean_data(tmp_path: Path) -> None:
    """By English frequencies every word is rare, and would be tested in every clean text."""
    clean = dataset(german("sehr"))
    asked: dict[str, set[str]] = {}
    for language in ("auto", "en", "none"):
        classifier, seen = rule(planted=True), set[str]()
        answer = classifier._function
        classifier._function = lambda given, answer=answer, seen=seen: (seen.update(given), answer(given))[1]
        defense = RippleD(classifier, {"least_rarity": 0.4, "language": language})
        defense.fit(replace(material(), held_out=clean), tmp_path / language)
        seen.clear()
        defense.predict([f"das ist schlecht und nicht bad {TRIGGER}"])
        asked[language] = seen
        again = RippleD(rule(planted=True), {"least_rarity": 0.4, "language": language})
        again.restore(tmp_path / language)
        assert again._language == {"auto": "de"}.get(language, language)
    tested = {
        language: sum(text.split().count("schlecht") > 1 for text in seen) for language, seen in asked.items()
    }
    assert tested["auto"] == 0 < tested["en"], "a common word is not tested"
    assert len(asked["none"]) >= len(asked["en"])


def test_frequencies_of_pieces_are_those_of_the_language() -> None:
    pieces = ["schon", "##haus", "movie"]
    english, german_ones = log_frequencies(pieces), log_frequencies(pieces, "de")
    assert german_ones[0] > english[0]
    assert english[2] > german_ones[2]
    assert len(np.unique(log_frequencies(pieces, "none"))) == 1
