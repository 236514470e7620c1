"""A tiny model to fine-tune, and the thread it is trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from finetune_runs import BAD, FILLER, GOOD

from fuzzsmooth.models import build_tiny


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny("bert", tmp_path_factory.mktemp("tiny"), vocabulary=GOOD + BAD + FILLER)
