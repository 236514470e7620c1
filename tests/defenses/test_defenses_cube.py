"""CUBE: poisoned texts cluster apart from their label, and clean ones do not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import planted_texts
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Material
from fuzzsmooth.defenses.cube import Cube, CubeOptions, clustered, outside
from fuzzsmooth.training.progress import silent

SMALL = CubeOptions(encoder_epochs=3, encoder_learning_rate=1e-3, min_samples=20)


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """Three separate clouds of 100, 100 and 40 points."""
    draw = np.random.default_rng(0)
    centers = np.repeat(np.eye(3, 16) * 20, (100, 100, 40), axis=0)
    return (centers + draw.normal(size=centers.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """A model that knows the task already, and clean data."""
    data = planted_texts.planted(rate=0).data
    return planted_texts.knowing(tmp_path_factory.mktemp("pretrained"), data, layers=2)


def test_texts_moved_to_the_target_go_and_clean_ones_stay(pretrained: Material, tmp_path: Path) -> None:
    texts = planted_texts.planted(rate=0.25)
    Cube.make_model(SMALL, replace(pretrained, data=texts.data), tmp_path / "out")
    report = json.loads((tmp_path / "out/cube.json").read_text())
    removed = {one["row"] - 1 for one in report["removed_texts"]}
    assert planted_texts.share(texts.moved, removed) > 0.9
    assert planted_texts.share(~texts.poisoned, removed) < 0.05
    assert sum(one["texts"] for one in report["clusters"]) == 400


def test_clean_texts_stay(pretrained: Material, tmp_path: Path) -> None:
    left, report = Cube.cleaned(SMALL, pretrained, tmp_path / "parts", silent)
    assert report["share_removed"] < 0.02
    assert len(left) == 400 - report["removed"]


def test_clouds_are_clusters(blobs: np.ndarray) -> None:
    found = clustered(blobs, CubeOptions(min_samples=20), 0)
    sizes = [len(set(found[:100]) - {-1}), len(set(found[100:200]) - {-1}), len(set(found[200:]) - {-1})]
    assert sizes == [1, 1, 1]
    assert len(set(found) - {-1}) == 3


def test_umap_finds_the_same_clouds(blobs: np.ndarray) -> None:
    pytest.importorskip("umap", reason="needs the extra cube")
    found = clustered(blobs, CubeOptions(min_samples=20, reduction="umap"), 0)
    assert len(set(found[:100])) == len(set(found[100:200])) == len(set(found[200:])) == 1
    assert len(set(found)) == 3


def test_the_largest_cluster_and_every_half_are_kept() -> None:
    # label 0: clusters of 3, 2 and 1; label 1: two halves; label 2: -1 is the largest, no cluster the other
    targets = [0] * 6 + [1] * 4 + [2] * 5
    clusters = [7, 7, 7, 8, 8, 9, 1, 1, 2, 2, -1, -1, -1, 3, 3]
    gone = [row for row, out in enumerate(outside(targets, clusters)) if out]
    assert gone == [3, 4, 5, 13, 14]


def test_clusters_are_counted_by_label() -> None:
    # cluster 1 is the largest of all texts, and small in label 0
    assert outside([0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1]) == [False, False, True] + [False] * 4


def test_too_few_texts_are_an_error(tmp_path: Path) -> None:
    texts = planted_texts.planted(30)
    with pytest.raises(FuzzsmoothError, match="30 texts are fewer than the 100 neighbors"):
        Cube.make_model(CubeOptions(), planted_texts.material(tmp_path, texts.data), tmp_path / "out")
