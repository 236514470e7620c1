"""The data and the model of a small experiment, and its finished run, computed once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from experiment_runs import LABELS, NEUTRAL, SIDES, settings

from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.models import build_tiny


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder nobody else is to hear of, with data and a tiny pre-trained model."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("experiment") / "private-place"
    generator = np.random.default_rng(0)
    for name, count in (("train", 300), ("dev", 40)):
        rows = []
        for index in range(count):
            words = [*generator.choice(SIDES[index % 2], size=3), *generator.choice(NEUTRAL, size=5)]
            label = LABELS[index % 2]
            rows.append(json.dumps({"text": " ".join(generator.permutation(words)), "label": label}) + "\n")
        write_atomic(folder / "data" / f"{name}.jsonl", "".join(rows))
    build_tiny(
        "bert", folder / "tiny", vocabulary=[*NEUTRAL, *SIDES[0], *SIDES[1], "cf"], hidden=16, layers=1
    )
    return folder


@pytest.fixture(scope="session")
def finished(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_experiment(
        settings(place), tmp_path_factory.mktemp("run") / "out", command="fuzzsmooth evaluate"
    )


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to go on from."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))
