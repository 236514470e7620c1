"""Certificates of a model in bfloat16: those of float32, because float32 decides what is close."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import AdditiveClassifier, build_tiny, load_classifier
from fuzzsmooth.smoothing import Certification, SmoothedClassifier, SmoothingOptions
from fuzzsmooth.smoothing import referee as refereeing
from fuzzsmooth.smoothing.noisy import NoisyHuggingFaceClassifier
from fuzzsmooth.smoothing.options import Mode

WORDS = [f"w{index}" for index in range(30)]


@pytest.fixture(scope="module")
def close(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model most of whose answers are close: its two logits differ little whatever it reads."""
    torch.set_num_threads(1)
    folder = build_tiny("bert", tmp_path_factory.mktemp("referee") / "tiny", vocabulary=WORDS)
    classifier = load_classifier(str(folder))
    logits = classifier.logits(texts(200))
    shift = float(np.median(logits[:, 1] - logits[:, 0]))
    with torch.no_grad():
        classifier.model.classifier.bias[1] -= shift
    return classifier.save(folder.parent / "close")


def texts(count: int, words: int = 8) -> list[str]:
    source = np.random.default_rng(5)
    return [" ".join(source.choice(WORDS, words)) for _ in range(count)]


def certify(folder: Path, precision: Any, mode: Mode, **more: Any) -> list[Certification]:
    settings: dict[str, Any] = {"mode": mode, "fuzzing": False, "sigma": 0.0, "rate": 0.4, "draws": 200}
    settings |= {"reach": 1, "copies": 200, "statistics": "fixed"}  # all draws: counts can be compared
    options = SmoothingOptions(**(settings | more))
    classifier = NoisyHuggingFaceClassifier(load_classifier(str(folder), precision=precision))
    return SmoothedClassifier(classifier, options).certify(texts(12))


def outcome(answers: list[Certification]) -> list[Any]:
    return [
        (one.label, one.counts, [(own.label, own.radius, own.p_lower) for own in one.certificates])
        for one in answers
    ]


@pytest.mark.parametrize("mode", ["certified", "frs", "windows"])
def test_a_referee_makes_certificates_of_bfloat16_those_of_float32(close: Path, mode: Mode) -> None:
    exact, refereed = certify(close, "float32", mode), certify(close, "bfloat16", mode)
    assert outcome(refereed) == outcome(exact)
    for one in refereed:
        rounding = one.certificates[0].rounding
        assert rounding is not None
        assert (rounding.precision, rounding.function) == ("bfloat16", "float32")
        assert (rounding.undecided, rounding.measured) == ("rechecked", True)
        assert 0 <= rounding.recheck_guard < 1e-4 < rounding.guard
    # Controls: without the band rounding decides some votes, without the referee the band loses some.
    assert outcome(certify(close, "bfloat16", mode, guard=0.0)) != outcome(exact)
    lost = certify(close, "bfloat16", mode, recheck=False)
    assert outcome(lost) != outcome(exact)
    if mode != "windows":
        assert all(sum(own.counts) <= sum(one.counts) for own, one in zip(lost, exact, strict=True))
        assert sum(sum(own.counts) for own in lost) < sum(sum(one.counts) for one in exact)
    assert lost[0].certificates[0].rounding is not None
    assert lost[0].certificates[0].rounding.undecided == "counted against"
    assert lost[0].certificates[0].rounding.function == "float32"


def test_a_given_band_is_not_measured(close: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> float:
        raise AssertionError("measured")

    monkeypatch.setattr(refereeing, "measure_guard_band", never)
    for guard, undecided in ((0.0, "counted against"), (0.25, "rechecked")):
        rounding = certify(close, "bfloat16", "certified", guard=guard)[0].certificates[0].rounding
        assert rounding is not None
        assert (rounding.guard, rounding.measured, rounding.undecided) == (guard, False, undecided)
        assert rounding.recheck_guard == 0
        assert rounding.function == ("float32" if guard else "bfloat16")
    with pytest.raises(AssertionError, match="measured"):
        certify(close, "float32", "certified")


def test_the_band_is_measured_once_and_anew_for_other_weights(
    close: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = refereeing.measure_guard_band
    monkeypatch.setattr(
        refereeing, "measure_guard_band", lambda *args, **more: calls.append(1) or real(*args, **more)
    )
    inner = load_classifier(str(close), precision="bfloat16")
    options = SmoothingOptions(mode="certified", fuzzing=False, sigma=0.0, draws=50)
    smooth = SmoothedClassifier(NoisyHuggingFaceClassifier(inner), options)
    smooth.predict(texts(2))
    assert not calls, "predictions take every answer"
    before = smooth.certify(texts(3))
    assert len(calls) == 2, "the band, and that of the second answers"
    assert smooth.certify(texts(3)) == before
    assert len(calls) == 2
    with torch.no_grad():
        inner.model.classifier.weight.mul_(3)
    inner.refresh()
    smooth.certify(texts(3))
    assert len(calls) == 4


def test_a_classifier_of_strings_has_no_band_of_its_own() -> None:
    classifier = AdditiveClassifier({"good": 1.0, "bad": -1.0})
    options = SmoothingOptions(mode="certified", fuzzing=False, sigma=0.0, draws=20)
    (one,) = SmoothedClassifier(classifier, options).certify(["a good film"])
    rounding = one.certificates[0].rounding
    assert rounding is not None
    assert (rounding.precision, rounding.guard, rounding.measured) == ("", 0.0, False)


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.0300001, 0.3, 0.99999, 1.0, 123.4])
def test_rounded_up(value: float) -> None:
    found = refereeing._rounded_up(value)
    assert value <= found <= 1.1 * value
    assert float(f"{found:.2g}") == found


def test_options_refuse_a_negative_band() -> None:
    assert SmoothingOptions().guard is None
    with pytest.raises(FuzzsmoothError, match="guard must be a finite number"):
        SmoothingOptions(guard=-0.1)
