"""Certificates of a model in bfloat16: those of float32, because float32 decides what is close."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defended import options_for
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Answer, defend
from fuzzsmooth.engine import recheck
from fuzzsmooth.models import AdditiveClassifier, build_tiny, load_classifier
from fuzzsmooth.search import References, SearchOptions

WORDS = [f"w{index}" for index in range(30)]


@pytest.fixture(scope="module")
def close(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model most of whose answers are close: its two logits differ little whatever it reads."""
    torch.set_num_threads(1)
    folder = build_tiny("bert", tmp_path_factory.mktemp("recheck") / "tiny", vocabulary=WORDS)
    classifier = load_classifier(str(folder))
    logits = classifier.logits_of_texts(texts(200))
    shift = float(np.median(logits[:, 1] - logits[:, 0]))
    with torch.no_grad():
        classifier.model.classifier.bias[1] -= shift
    return classifier.save(folder.parent / "close")


def texts(count: int, words: int = 8) -> list[str]:
    source = np.random.default_rng(5)
    return [" ".join(source.choice(WORDS, words)) for _ in range(count)]


def certify(folder: Path, precision: Any, defense: str, **more: Any) -> list[Answer]:
    settings: dict[str, Any] = {"defense": defense, "fuzzing": False, "sigma": 0.0, "rate": 0.4, "draws": 200}
    settings |= {"reach": 1, "copies": 200, "statistics": "fixed"}  # all draws: counts can be compared
    options = options_for(**(settings | more))
    classifier = load_classifier(str(folder), precision=precision)
    return defend(classifier, options).certify(texts(12))


def outcome(answers: list[Answer]) -> list[Any]:
    return [
        (one.label, one.votes, [(own.label, own.radius, own.p_lower) for own in one.certificates])
        for one in answers
    ]


@pytest.mark.parametrize("defense", ["deletion", "frs", "windows"])
def test_a_recheck_makes_certificates_of_bfloat16_those_of_float32(close: Path, defense: str) -> None:
    exact, rechecked = certify(close, "float32", defense), certify(close, "bfloat16", defense)
    assert outcome(rechecked) == outcome(exact)
    for one in rechecked:
        rounding = one.certificates[0].rounding
        assert rounding is not None
        assert (rounding.precision, rounding.function) == ("bfloat16", "float32")
        assert (rounding.undecided, rounding.measured) == ("rechecked", True)
        assert 0 <= rounding.recheck_guard < 1e-4 < rounding.guard
    # Controls: without the band rounding decides some votes, without the recheck the band loses some.
    assert outcome(certify(close, "bfloat16", defense, guard=0.0)) != outcome(exact)
    lost = certify(close, "bfloat16", defense, recheck=False)
    assert outcome(lost) != outcome(exact)
    if defense != "windows":
        assert all(sum(own.votes) <= sum(one.votes) for own, one in zip(lost, exact, strict=True))
        assert sum(sum(own.votes) for own in lost) < sum(sum(one.votes) for one in exact)
    assert lost[0].certificates[0].rounding is not None
    assert lost[0].certificates[0].rounding.undecided == "counted against"
    assert lost[0].certificates[0].rounding.function == "float32"


def test_a_given_band_is_not_measured(close: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = recheck.measure_rounding_band
    monkeypatch.setattr(
        recheck, "measure_rounding_band", lambda *args, **more: calls.append(args) or real(*args, **more)
    )
    for guard, again, undecided in ((0.0, True, "counted against"), (0.25, False, "counted against")):
        rounding = (
            certify(close, "bfloat16", "deletion", guard=guard, recheck=again)[0].certificates[0].rounding
        )
        assert rounding is not None
        assert (rounding.guard, rounding.measured, rounding.undecided) == (guard, False, undecided)
        assert (rounding.function, rounding.recheck_guard) == ("bfloat16", 0.0)  # nobody looked at float32
    certificate = certify(close, "bfloat16", "deletion", guard=0.25)[0].certificates[0]
    assert certificate.rounding is not None
    assert (certificate.rounding.function, certificate.rounding.undecided) == ("bfloat16", "counted against")
    assert certificate.conditional_on is not None
    assert "the guard band of 0.25 (as given by the user)" in certificate.conditional_on
    assert not calls


def test_a_band_that_was_measured_on_a_sample_is_a_condition(close: Path) -> None:
    """A model may round worst where nobody looked: float32 in fixed shapes needs no band, bfloat16 does."""
    for defense in ("deletion", "windows"):
        (exact, *_), (rough, *_) = (certify(close, kind, defense) for kind in ("float32", "bfloat16"))
        sure, depends = exact.certificates[0], rough.certificates[0]
        assert (sure.guarantee, sure.conditional_on) == ("proved", None)
        assert sure.rounding is not None
        assert (sure.rounding.batches, sure.rounding.guard) == ("fixed", 0.0)
        assert depends.guarantee == "conditional"
        assert depends.conditional_on is not None
        assert depends.conditional_on.startswith("bfloat16 moves no margin between two logits by more than")
        assert "as measured on a sample" in depends.conditional_on


def test_what_fuzzes_is_as_exact_as_the_answers(close: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = texts(400)
    sure = load_classifier(str(close)).probabilities(pool)
    nearest = np.abs(sure[:, 0] - 0.5).argsort()[:40].tolist()  # references on which rounding decides
    references = References(
        tuple(pool[at] for at in nearest), tuple(int(sure[at].argmax()) for at in nearest), ""
    )

    def fuzzed(precision: Any) -> list[Answer]:
        classifier = load_classifier(str(close), precision=precision)
        options = options_for(
            defense="deletion", sigma=0.0, rate=0.4, draws=200, statistics="fixed",
            search=SearchOptions(references=8),
        )  # fmt: skip
        return defend(classifier, options, references).certify(texts(60))

    exact = fuzzed("float32")
    assert outcome(fuzzed("bfloat16")) == outcome(exact)
    monkeypatch.setattr("fuzzsmooth.defenses.randomized.in_float32", lambda classifier: classifier)
    assert outcome(fuzzed("bfloat16")) != outcome(exact)


def test_the_band_is_measured_on_words_that_the_model_knows(close: Path) -> None:
    tokenizer = load_classifier(str(close)).tokenizer
    known = recheck._band_texts(tokenizer)
    assert {word for text in known[:16:2] for word in text.split()} <= set(WORDS)
    assert known != recheck._band_texts(None)


def test_the_band_is_measured_once_and_anew_for_other_weights(
    close: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = recheck.measure_rounding_band
    monkeypatch.setattr(
        recheck, "measure_rounding_band", lambda *args, **more: calls.append(1) or real(*args, **more)
    )
    inner = load_classifier(str(close), precision="bfloat16")
    options = options_for(defense="deletion", fuzzing=False, sigma=0.0, draws=50)
    smooth = defend(inner, options)
    smooth.predict(texts(2))
    assert len(calls) == 1, "predictions ask what certificates ask; second answers are exact"
    before = smooth.certify(texts(3))
    assert smooth.certify(texts(3)) == before
    assert len(calls) == 1
    with torch.no_grad():
        inner.model.classifier.weight.mul_(3)
    inner.refresh()
    smooth.certify(texts(3))
    assert len(calls) == 2


def test_a_classifier_of_strings_has_no_band_of_its_own() -> None:
    classifier = AdditiveClassifier({"good": 1.0, "bad": -1.0})
    options = options_for(defense="deletion", fuzzing=False, sigma=0.0, draws=20)
    (one,) = defend(classifier, options).certify(["a good film"])
    rounding = one.certificates[0].rounding
    assert rounding is not None
    assert (rounding.precision, rounding.guard, rounding.measured) == ("", 0.0, False)


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.0300001, 0.3, 0.99999, 1.0, 123.4])
def test_rounded_up(value: float) -> None:
    found = recheck._rounded_up(value)
    assert value <= found <= 1.1 * value
    assert float(f"{found:.2g}") == found


def test_options_refuse_a_negative_band() -> None:
    assert options_for().guard is None
    with pytest.raises(FuzzsmoothError, match="guard must lie between 0 and 1,000,000"):
        options_for(guard=-0.1)
