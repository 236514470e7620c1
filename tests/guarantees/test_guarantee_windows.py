"""Theorem 5 by brute force: every changed text of a certified one, under hostile base classifiers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from guarantee_universe import Text, single_edits

from fuzzsmooth.certify import (
    AblationCertificate,
    Family,
    MaskOracle,
    certify_contiguous_edit,
    certify_contiguous_insertion,
    certify_contiguous_replacement,
    certify_scattered,
    contiguous,
    contiguous_up_to,
    detect,
    scattered,
    two_round_ablation,
)

ALPHABET, FRESH = 2, 2
Classifier = Callable[[Text], int]


def oracle(text: Text, classifier: Classifier) -> MaskOracle:
    """The base classifier on subsets of a text."""

    def ask(masks: Sequence[int]) -> list[int]:
        return [classifier(tuple(u for i, u in enumerate(text) if mask >> i & 1)) for mask in masks]

    return MaskOracle(ask, len(text), units=text)


def subsequences(text: Text) -> set[Text]:
    return {kept for size in range(len(text) + 1) for kept in itertools.combinations(text, size)}


def hostile(text: Text, label: int, style: int, noise: float, generator: np.random.Generator) -> Classifier:
    """Mostly right on subsequences of the clean text, adversarial or random on everything else."""
    answers: dict[Text, int] = {}
    known, wrong = subsequences(text), (label + 1) % 3

    def classify(seen: Text) -> int:
        if seen not in answers:
            if seen in known:
                answers[seen] = wrong if generator.random() < noise else label
            else:
                answers[seen] = (
                    wrong,
                    int(generator.integers(3)),
                    (label + 1 + len(seen) % 2) % 3,
                    label if generator.random() < 0.6 else wrong,
                )[style]
        return answers[seen]

    return classify


def replace_blocks(text: Text, removed: Sequence[int], inserted: Sequence[int]) -> Iterator[Text]:
    """Every text with one block replaced; new units may be one the clean text never has."""
    for gone in removed:
        for new in inserted:
            for place in range(len(text) - gone + 1):
                for trigger in itertools.product(range(ALPHABET + 1), repeat=new):
                    yield text[:place] + trigger + text[place + gone :]


def edits(text: Text, most: int, *, insertions_only: bool) -> Iterator[Text]:
    """Every text within a number of edits (or insertions)."""
    ball = {text}
    for _ in range(most):
        ball |= {
            other
            for inner in ball
            for other in single_edits(inner, ALPHABET + 1)
            if not insertions_only or len(other) > len(inner)
        }
    return iter(sorted(ball))


@dataclass(frozen=True)
class Case:
    """A procedure, its certifier, and the texts its threat can make."""

    name: str
    family: Family
    certify: Callable[[MaskOracle], AblationCertificate]
    changed: Callable[[Text], Iterator[Text]]
    longest: int = 6
    alert: bool = False


def blocks(removed: Sequence[int], inserted: Sequence[int]) -> Callable[[Text], Iterator[Text]]:
    return lambda text: replace_blocks(text, removed, inserted)


TWO = contiguous([2])
CASES = [
    Case("eldd 1", contiguous_up_to(1), lambda o: certify_contiguous_insertion(o, 1), blocks([0], [0, 1])),
    Case("eldd 2", contiguous_up_to(2), lambda o: certify_contiguous_insertion(o, 2), blocks([0], [0, 1, 2])),
    Case("eldd 3", contiguous_up_to(3), lambda o: certify_contiguous_insertion(o, 3), blocks([0], range(4))),
    Case("replace 2", TWO, lambda o: certify_contiguous_replacement(o, 2), blocks([2], [2])),
    Case(
        "block edit 2",
        contiguous_up_to(2),
        lambda o: certify_contiguous_edit(o, 2),
        blocks(range(3), range(3)),
    ),
    Case(
        "scattered insert 1",
        scattered(1),
        lambda o: certify_scattered(o, 1),
        lambda text: edits(text, 1, insertions_only=True),
    ),
    Case(
        "scattered insert 2",
        scattered(2),
        lambda o: certify_scattered(o, 2),
        lambda text: edits(text, 2, insertions_only=True),
        longest=4,
    ),
    Case(
        "scattered edit 1",
        scattered(1),
        lambda o: certify_scattered(o, 1, "edit"),
        lambda text: edits(text, 1, insertions_only=False),
    ),
    Case(
        "scattered edit 2",
        scattered(2),
        lambda o: certify_scattered(o, 2, "edit"),
        lambda text: edits(text, 2, insertions_only=False),
        longest=4,
    ),
]


def attack(case: Case, repetitions: int) -> tuple[int, int, int]:
    """Certified texts, changed texts tried, wrong answers."""
    generator = np.random.default_rng(17)
    certified = tried = wrong = 0
    for repetition in range(repetitions):
        text = tuple(generator.integers(ALPHABET, size=generator.integers(3, case.longest + 1)).tolist())
        label, noise = int(generator.integers(3)), (0.0, 0.02, 0.1, 0.3)[repetition // 4 % 4]
        classifier = hostile(text, label, repetition % 4, noise, generator)
        claim = case.certify(oracle(text, classifier))
        if not claim.certified:
            continue
        certified += 1
        for changed in case.changed(text):
            answer = two_round_ablation(oracle(changed, classifier), case.family)
            tried += 1
            wrong += answer.label != claim.label
    return certified, tried, wrong


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_certified_texts_keep_their_label(case: Case) -> None:
    certified, tried, wrong = attack(case, 16)
    assert wrong == 0
    assert certified >= 2
    assert tried >= 20


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_certified_texts_keep_their_label_thoroughly(case: Case) -> None:
    certified, tried, wrong = attack(case, 128)
    assert wrong == 0
    assert certified >= 16
    assert tried >= 500


def test_control_single_window_condition_is_too_weak_for_one_length() -> None:
    """With windows of length 2 only, single windows of x do not settle a trigger of length 1."""

    def too_weak(asked: MaskOracle) -> AblationCertificate:
        return certify_contiguous_insertion(asked, 2)

    generator, wrong = np.random.default_rng(3), 0
    for _ in range(200):
        text = tuple(generator.integers(ALPHABET, size=5).tolist())
        needed = {text} | {
            text[:start] + text[stop:]
            for start, stop in itertools.combinations(range(6), 2)
            if stop - start <= 2
        }
        answers: dict[Text, int] = {}

        def classifier(seen: Text, answers: dict[Text, int] = answers, needed: set[Text] = needed) -> int:
            return 0 if seen in needed else answers.setdefault(seen, int(generator.random() < 0.9))

        if too_weak(oracle(text, classifier)).certified:
            wrong += sum(
                two_round_ablation(oracle(changed, classifier), TWO).label != 0
                for changed in replace_blocks(text, [0], [1])
            )
    assert wrong > 0


def test_detection_never_gives_another_label() -> None:
    """Every insertion of up to m units gets h(x) or an alert, so an answer is the original's answer."""
    generator, alerts, answers = np.random.default_rng(5), 0, 0
    for repetition in range(60):
        text = tuple(generator.integers(ALPHABET, size=5).tolist())
        classifier = hostile(text, 1, repetition % 4, 0.05 * (repetition % 3), generator)
        truth = classifier(text)
        for changed in replace_blocks(text, [0], [0, 1, 2]):
            found = detect(oracle(changed, classifier), contiguous_up_to(2))
            alerts += found.label is None
            answers += found.label is not None
            assert found.label in (truth, None)
            assert (found.status == "alert") == (found.label is None)
    assert alerts > 0
    assert answers > 0


@pytest.mark.parametrize("length", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_every_base_classifier_for_one_fresh_unit(length: int) -> None:
    """ELDD, m = 1: all labelings of all strings that hold the trigger are enumerated."""
    checked = 0
    for text in itertools.product(range(ALPHABET), repeat=length):
        clean = {text} | {text[:place] + text[place + 1 :] for place in range(length)}
        for place in range(length + 1):
            changed = (*text[:place], FRESH, *text[place:])
            poisoned = sorted(seen for seen in subsequences(changed) if FRESH in seen)
            relevant = [seen for seen in poisoned if len(seen) >= length - 1]
            for labels in itertools.product((0, 1), repeat=len(relevant)):
                answers = dict(zip(relevant, labels, strict=True))

                def classifier(
                    seen: Text, answers: dict[Text, int] = answers, clean: set[Text] = clean
                ) -> int:
                    return 0 if seen in clean else answers.get(seen, 1)

                assert certify_contiguous_insertion(oracle(text, classifier), 1).certified
                assert two_round_ablation(oracle(changed, classifier), contiguous_up_to(1)).label == 0
                checked += 1
    assert checked >= 100
