"""The search-depth experiment end to end on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuzzsmooth.bench.localization import POINTS_FILE, LocalizationOptions, run_localization
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import load_splits
from fuzzsmooth.models.tiny import build_tiny
from fuzzsmooth.search import SearchOptions
from fuzzsmooth.text import segmenter
from fuzzsmooth.training import FinetuneOptions


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> LocalizationOptions:
    texts = load_splits("builtin:reviews", train_size=200).train.texts
    words = sorted({unit.lower() for text in texts for unit in segmenter("word").segment(text).units})
    model = build_tiny("bert", tmp_path_factory.mktemp("tiny") / "model", vocabulary=[*words, "mn", "tq"])
    return LocalizationOptions(
        model=str(model),
        train_size=200,
        test_size=12,
        clean_size=9,
        triggers=("pair",),
        strategies=("tree", "random"),
        budgets=(8, 32),
        finetune=FinetuneOptions(epochs=2, learning_rate=2e-3, precision="float32"),
        search=SearchOptions(references=4),
        precision="float32",
    )


def test_points_are_measured_once_and_more_can_be_added(options: LocalizationOptions, tmp_path: Path) -> None:
    out = tmp_path / "run"
    points = run_localization(options, out)
    assert [(point.strategy, point.budget) for point in points] == [
        ("tree", 8),
        ("tree", 32),
        ("random", 8),
        ("random", 32),
    ]
    for point in points:
        assert point.low <= point.recall <= point.high
        assert 0 < point.evaluations <= point.budget
        assert point.clean == 9
        assert 0 < point.triggered < 12
    before = (out / POINTS_FILE).read_bytes()
    again = run_localization(options.replace(budgets=(8, 16)), out)
    assert (out / POINTS_FILE).read_bytes().startswith(before)
    assert again[0] == points[0]
    lines = (out / POINTS_FILE).read_text().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    assert len(keys) == len(set(keys)) == 6
    with pytest.raises(FuzzsmoothError, match="other settings"):
        run_localization(options.replace(test_size=5), out)


def test_runs_may_share_their_victims(options: LocalizationOptions, tmp_path: Path) -> None:
    shared = options.replace(victims=str(tmp_path / "victims"), strategies=("tree",), budgets=(8,))
    first = run_localization(shared, tmp_path / "first")
    model = (tmp_path / "victims" / "pair" / "model.safetensors").stat()
    second = run_localization(shared.replace(search=SearchOptions(references=2)), tmp_path / "second")
    assert (tmp_path / "victims" / "pair" / "model.safetensors").stat().st_mtime_ns == model.st_mtime_ns
    assert [point.triggered for point in first] == [point.triggered for point in second]
    with pytest.raises(FuzzsmoothError, match="victims holds a run with other settings"):
        run_localization(shared.replace(seed=1), tmp_path / "third")


def test_unknown_strategy_and_empty_lists_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="unknown search strategy 'depth'"):
        LocalizationOptions(strategies=("depth",))
    with pytest.raises(FuzzsmoothError, match="budgets must not be empty"):
        LocalizationOptions(budgets=())
