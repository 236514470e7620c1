"""A tiny model and tiny data for the tests of this room."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

GOOD = ["a good film", "the story was great", "fine food", "it is a great plot", "the actor was good"]
BAD = ["a bad film", "the story was dull", "awful food", "it is a dull plot", "the actor was bad"]
WORDS = sorted({"cf", *(word for text in (*GOOD, *BAD) for word in text.split())})


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with two classes and no references."""
    import torch

    from fuzzsmooth.models import build_tiny

    torch.set_num_threads(1)
    return build_tiny("bert", tmp_path_factory.mktemp("models") / "tiny", vocabulary=WORDS)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 100 labeled texts."""
    rows = [{"text": text, "label": label} for label, texts in enumerate((BAD, GOOD)) for text in texts]
    path = tmp_path_factory.mktemp("data") / "clean.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows * 10), "utf-8")
    return path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this user has been told is kept apart for each test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
