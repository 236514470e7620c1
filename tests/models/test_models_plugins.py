"""A model of another package: one file and an entry point, and it is ``builtin:NAME`` like ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tiny_models import WORDS

from fuzzsmooth.models import build_tiny, load_classifier

MODEL = """
from pathlib import Path

from fuzzsmooth.models import MODELS, NamedModel


@MODELS.register("toy")
class Toy(NamedModel):
    summary = "two layers, for a test"
    install = "pip install toy"

    def folder(self):
        return Path(__file__).parent / "weights"
"""

SCRIPT = """
import json, sys
from fuzzsmooth.models import MODELS

found = {name: model.summary for name, model in MODELS.all().items()}
torch = "torch" in sys.modules
from fuzzsmooth.models import load_classifier
print(json.dumps([found, torch, load_classifier("builtin:toy").fingerprint]))
"""


def test_a_model_of_another_package(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(MODEL)
    about = tmp_path / "toy-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[fuzzsmooth.models.builtin]\ntoy = toy\n")
    weights = build_tiny("bert", tmp_path / "weights", vocabulary=WORDS)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    found, torch, fingerprint = json.loads(run.stdout)
    assert found["toy"] == "two layers, for a test"
    assert "minilm" in found
    assert not torch, "names are listed without PyTorch"
    assert fingerprint == load_classifier(str(weights)).fingerprint
