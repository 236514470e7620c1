"""Small sound models, each built once: to be evaluated, or to be broken in a copy."""

import shutil
from pathlib import Path

import broken_models
import pytest
import tiny_models
import torch
from tiny_models import ARCHITECTURES

from fuzzsmooth.models import build_tiny


def build_each(root: Path, vocabulary: list[str]) -> dict[str, Path]:
    torch.set_num_threads(1)
    return {
        kind: build_tiny(kind, root / kind, vocabulary=vocabulary, num_labels=3) for kind in ARCHITECTURES
    }


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> dict[str, Path]:
    return build_each(tmp_path_factory.mktemp("tiny"), tiny_models.WORDS)


@pytest.fixture(scope="session")
def originals(tmp_path_factory) -> dict[str, Path]:
    return build_each(tmp_path_factory.mktemp("originals"), broken_models.WORDS)


@pytest.fixture
def bert(originals, tmp_path) -> Path:
    return Path(shutil.copytree(originals["bert"], tmp_path / "model"))
