"""What is made once is made by the warm-up, so that the first texts of users do not pay for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fuzzsmooth.noise.weight.copies as kept
from defended import options_for
from fuzzsmooth.defenses import DEFENSES, defend
from fuzzsmooth.models import AdditiveClassifier, HuggingFaceClassifier, build_tiny, load_classifier

WORDS = ["good", "bad", "film", "plot", "warm", "dull"]
TEXTS = ["good bad film", "dull plot", "warm film plot bad dull good"]
VOTING = {"sigma": 0.05, "fuzzing": False, "copies": 12, "doubt": 0.0}


@pytest.fixture
def classifier(tmp_path: Path) -> HuggingFaceClassifier:
    return load_classifier(str(build_tiny("bert", tmp_path / "tiny", vocabulary=WORDS, hidden=32, layers=2)))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of all noisy copies that are drawn."""
    seeds: list[int] = []
    draw = kept.drawn_weights

    def counted(model: Any, top_layers: int, sigma: float, seed: int) -> Any:
        seeds.append(seed)
        return draw(model, top_layers, sigma, seed)

    monkeypatch.setattr(kept, "drawn_weights", counted)
    return seeds


def test_a_warm_frs_draws_no_copies_for_users(classifier: HuggingFaceClassifier, drawn: list[int]) -> None:
    cold = defend(classifier, options_for("frs", **VOTING))
    answers = cold.predict(TEXTS)
    assert len(drawn) == len(set(drawn)) > 1, "control: whoever asks first waits for them"
    drawn.clear()
    classifier.noisy_copies.clear()
    warm = defend(classifier, options_for("frs", **VOTING))
    warm.warm_up("any film")
    assert len(drawn) == len(set(drawn)) == 12, "each of the K once"
    assert warm.predict(TEXTS) == answers
    assert len(drawn) == 12


def test_every_defense_can_be_warmed_up_and_answers_as_before() -> None:
    model = AdditiveClassifier({"good": 2.0, "bad": -2.0})
    for name in ("undefended", "deletion", "windows"):
        options = {} if name == "undefended" else {"fuzzing": False}
        kind = DEFENSES.get(name)
        cold, warm = (kind(model, kind.options_type.from_mapping(options)) for _ in range(2))
        warm.warm_up("any film")
        assert warm.certify(TEXTS) == cold.certify(TEXTS)
