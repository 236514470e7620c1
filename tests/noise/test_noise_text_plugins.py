"""A kernel of another package: one file and an entry point, and it is found and drawn from like ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

KERNEL = """
from dataclasses import dataclass

from fuzzsmooth.noise.text import KERNELS, SelectionKernel


@KERNELS.register("keep-first")
@dataclass(frozen=True)
class KeepFirst(SelectionKernel):
    \"\"\"Deletes units but the first few.\"\"\"

    count: int

    def selected(self, kept):
        kept = kept.copy()
        kept[:, : self.count] = True
        return kept
"""

SCRIPT = """
import json, sys, warnings
import numpy as np
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.models import CallableClassifier
from fuzzsmooth.noise.text import KERNELS, text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter

names = list(KERNELS.all())
kernel = text_kernel("keep-first", count=1)
classifier = CallableClassifier(lambda texts: [[text != "a", text == "a"] for text in texts], ["other", "a"])
plan = Plan(1, ("a", "b"), uniform_rates(2, 1.0))
votes = Sampler(classifier, segmenter("word"), kernel, None, None, 0).votes([plan], range(5), "x")
units = kernel(("a", "b"), uniform_rates(2, 1.0), np.random.default_rng(0))
torch = "torch" in sys.modules
print(json.dumps([names, kernel.name, units, votes.tolist(), torch]))
"""


def announced(folder: Path, entry: str) -> dict[str, str]:
    """The environment of a Python that finds the toy package, which a folder holds with an entry point."""
    about = folder / "toy-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(entry)
    path = os.pathsep.join([str(folder), *sys.path])
    return dict(os.environ, PYTHONPATH=path)


def test_a_kernel_of_another_package(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(KERNEL)
    environment = announced(tmp_path, "[fuzzsmooth.noise.text]\nkeep-first = toy\n")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    names, name, units, votes, torch = json.loads(found.stdout)
    ours = {"deletion", "masking", "share-masking", "shuffled-deletion", "substitution", "synonyms"}
    assert names == sorted({*ours, "keep-first"})
    assert name == "keep-first"
    assert units == ["a"]
    assert votes == [[0, 5]], "only what is left was read"
    assert not torch
