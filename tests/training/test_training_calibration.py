"""Class offsets: the best on what they are scored by, within the tolerance, and in the model as scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fuzzsmooth.bench.certifying import by_vote, by_windows
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.defenses.deletion import Deletion
from fuzzsmooth.defenses.windows import Windows
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.training import Offsets, Score, add_offsets, choose_offsets, deletion_score, window_score

WORDS = ["fine", "great", "dull", "awful", "the", "film", "is", "a", "plot"]


@pytest.fixture
def classifier(tmp_path: Path) -> HuggingFaceClassifier:
    """An untrained model made decisive, so that its answers depend on single words."""
    torch.set_num_threads(1)
    made = load_classifier(str(build_tiny("bert", tmp_path / "tiny", vocabulary=WORDS)))
    with torch.no_grad():
        made.model.classifier.weight.mul_(200.0)
    made.refresh()
    return made


def texts(size: int) -> Dataset:
    rng = np.random.default_rng(0)
    rows = [
        Example(" ".join(rng.choice(WORDS, size=rng.integers(0, 8))), int(rng.random() < 0.3))
        for _ in range(size)
    ]
    return Dataset("reviews", ("bad", "good"), tuple(rows))


def class_mean(hits: list[bool], data: Dataset) -> float:
    """The mean over the classes, which are of unequal sizes here."""
    own, labels = np.array(hits), np.array(data.targets)
    return float((own[labels == 0].mean() + own[labels == 1].mean()) / 2)


def test_the_best_offset_within_the_tolerance_is_found() -> None:
    def score(offsets: Offsets) -> Score:
        return Score(0.9 - 0.02 * abs(offsets[1]), min(offsets[1], 3.0))

    assert choose_offsets(score, 2, tolerance=0.0).tolist() == [0.0, 0.0]
    assert choose_offsets(score, 2, tolerance=0.02).tolist() == [0.0, 1.0]
    assert choose_offsets(score, 2, tolerance=1.0).tolist() == [0.0, 3.0]  # of equals the smallest


def test_three_classes_are_moved_in_turn() -> None:
    aim = np.array([0.0, 1.5, -2.0])

    def score(offsets: Offsets) -> Score:
        return Score(1.0, -float(np.abs(offsets - aim).sum()))

    assert choose_offsets(score, 3, tolerance=0.0).tolist() == aim.tolist()


@pytest.mark.parametrize("offset", [0.0, 0.7, -1.3])
def test_window_scores_are_what_the_certificates_say(
    classifier: HuggingFaceClassifier, offset: float
) -> None:
    data, offsets = texts(60), np.array([0.0, offset])
    score = window_score(classifier, data, 3)(offsets)
    add_offsets(classifier, offsets)
    answers = list(map(by_windows(Windows(classifier, {"fuzzing": False}), 3), data.texts))
    right = [answer.label == label for answer, label in zip(answers, data.targets, strict=True)]
    assert score.accuracy == pytest.approx(
        np.mean(classifier.logits_of_texts(data.texts).argmax(1) == data.targets)
    )
    certified = [
        class_mean(
            [
                ok and answer.radii.get("contiguous_insert", -1) >= size
                for answer, ok in zip(answers, right, strict=True)
            ],
            data,
        )
        for size in (1, 2, 3)
    ]
    assert score.certified == pytest.approx(np.mean(certified))
    assert 0 < score.certified < score.accuracy  # neither is trivial here


def test_giving_everything_to_one_class_is_worth_no_more_than_that_class(
    classifier: HuggingFaceClassifier,
) -> None:
    """Whatever the sizes of the classes: here the first has two thirds of the texts."""
    data = texts(60)
    for score in (window_score(classifier, data, 2), deletion_score(classifier, data, 0.9, seed=0)):
        for offset in (-1000.0, 1000.0):
            assert score(np.array([0.0, offset])).certified == pytest.approx(0.5)


def test_deletion_scores_are_close_to_what_the_certificates_say(classifier: HuggingFaceClassifier) -> None:
    """Independent draws, so on average only; short texts are exact in the certificate."""
    data, offsets = texts(80), np.array([0.0, 0.4])
    score = deletion_score(classifier, data, 0.6, seed=0, copies=400)(offsets)
    add_offsets(classifier, offsets)
    answers = list(map(by_vote(Deletion(classifier, {"fuzzing": False, "rate": 0.6})), data.texts))
    right = [answer.label == label for answer, label in zip(answers, data.targets, strict=True)]
    assert score.accuracy == pytest.approx(np.mean(right), abs=0.05)
    certified = [
        class_mean(
            [ok and answer.radii.get("edit", -1) >= size for answer, ok in zip(answers, right, strict=True)],
            data,
        )
        for size in (0, 1, 2, 4)
    ]
    assert score.certified == pytest.approx(np.mean(certified), abs=0.08)
    assert score.certified > 0.1


def test_offsets_move_the_logits_and_nothing_else(classifier: HuggingFaceClassifier) -> None:
    data = texts(20)
    before, fingerprint = classifier.logits_of_texts(data.texts), classifier.fingerprint
    add_offsets(classifier, np.array([0.5, -1.0]))
    np.testing.assert_allclose(
        classifier.logits_of_texts(data.texts), before + np.array([0.5, -1.0]), atol=1e-5
    )
    assert classifier.fingerprint != fingerprint


def test_a_decoder_without_a_bias_is_saved_with_its_offsets(tmp_path: Path) -> None:
    decoder = load_classifier(str(build_tiny("llama", tmp_path / "llama", vocabulary=WORDS)))
    data, fingerprint = texts(20), decoder.fingerprint
    before = decoder.logits_of_texts(data.texts)
    for _ in range(2):
        add_offsets(decoder, np.array([0.5, -1.0]))
    found = decoder.logits_of_texts(data.texts)
    np.testing.assert_allclose(found, before + np.array([1.0, -2.0]), atol=1e-5)
    assert decoder.fingerprint != fingerprint
    decoder.save(tmp_path / "saved")
    loaded = load_classifier(str(tmp_path / "saved"))
    assert loaded.fingerprint == decoder.fingerprint
    np.testing.assert_array_equal(loaded.logits_of_texts(data.texts), found)


def test_what_cannot_take_offsets_is_refused(classifier: HuggingFaceClassifier, tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="2 classes need as many offsets"):
        add_offsets(classifier, np.zeros(3))
    classifier.model.classifier.bias = None
    with pytest.raises(FuzzsmoothError, match="no bias"):
        add_offsets(classifier, np.zeros(2))
    with pytest.raises(FuzzsmoothError, match="tolerance"):
        choose_offsets(lambda _: Score(1.0, 1.0), 2, tolerance=-0.1)
