"""A tiny protected model for the tests of the integrations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from interop_model import WINDOWS, WORDS

if TYPE_CHECKING:
    from fuzzsmooth.apps.interop.trainer import Watched

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with two classes."""
    import torch

    from fuzzsmooth.models import build_tiny

    torch.set_num_threads(1)
    return build_tiny("bert", tmp_path_factory.mktemp("models") / "tiny", vocabulary=WORDS, seed=9)


@pytest.fixture(scope="session")
def saved(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That model saved with the defense ``windows``, as users save one."""
    import fuzzsmooth

    defended = fuzzsmooth.protect(tiny, **WINDOWS)
    return defended.save_pretrained(tmp_path_factory.mktemp("saved") / "mine")


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT that knows the words of the reviews, from which training starts."""
    import torch
    from interop_training import VOCABULARY

    from fuzzsmooth.models import build_tiny

    torch.set_num_threads(1)
    return build_tiny("bert", tmp_path_factory.mktemp("models") / "start", vocabulary=VOCABULARY)


@pytest.fixture(scope="session")
def watched() -> Watched:
    """What is measured during training."""
    from interop_training import watched_reviews

    return watched_reviews()


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a place for runs of MLflow, in files, where it logs during this test."""
    mlflow = pytest.importorskip("mlflow", reason="extra 'mlflow'")
    place = (tmp_path / "runs").as_uri()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    mlflow.set_tracking_uri(place)
    return place
