"""A tiny model for the tests of the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with two classes; no references, so scans use reward kl."""
    import torch
    from apps_command_line import WORDS

    from fuzzsmooth.models import build_tiny

    torch.set_num_threads(1)
    return build_tiny("bert", tmp_path_factory.mktemp("models") / "tiny", vocabulary=WORDS)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What this user has been told is kept apart for each test."""
    folder = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder
