"""The table and the plots of the search-depth experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.report.recall import POINTS_FILE, build_recall, recall_table


def point(trigger: str, strategy: str, budget: int, recall: float) -> dict[str, Any]:
    return {
        "key": f"{trigger}/{strategy}/{budget}",
        "trigger": trigger,
        "strategy": strategy,
        "budget": budget,
        "recall": recall,
        "low": max(0.0, recall - 0.1),
        "high": min(1.0, recall + 0.1),
        "triggered": 50,
        "false_flags": 0.02,
        "clean": 100,
        "extra_characters": 1.5,
        "evaluations": budget / 2,
        "evaluations_clean": budget / 4,
        "seconds": 0.1,
    }


POINTS = [
    point("pair", strategy, budget, recall)
    for strategy, recalls in (("tree", (0.2, 1.0)), ("greedy", (0.1, 0.9)))
    for budget, recall in zip((8, 64), recalls, strict=True)
]


def test_table_puts_the_strategies_of_a_budget_side_by_side() -> None:
    rows = [line for line in recall_table(POINTS).splitlines() if line.startswith("| 64")]
    assert rows == ["| 64 | 1.000 (0.900-1.000) [32; 0.020] | 0.900 (0.800-1.000) [32; 0.020] |"]


def test_a_point_not_measured_is_a_dash_and_not_a_number() -> None:
    table = recall_table(POINTS[:-1])
    assert "| 64 | 1.000 (0.900-1.000) [32; 0.020] | - |" in table


def test_build_writes_table_and_one_plot_per_trigger(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = [json.dumps(item) for item in (*POINTS, point("sentence", "tree", 8, 0.5))]
    (tmp_path / POINTS_FILE).write_text("\n".join(lines) + "\n")
    files = build_recall(tmp_path)
    assert [file.name for file in files] == [
        "localization.md",
        "localization-pair.png",
        "localization-sentence.png",
    ]
    assert all(file.stat().st_size > 0 for file in files)
    assert files[1].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("content", [None, ""])
def test_no_points_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / POINTS_FILE).write_text(content)
    with pytest.raises(FuzzsmoothError, match=r"missing|no points"):
        build_recall(tmp_path)
