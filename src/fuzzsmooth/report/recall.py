"""The search-depth experiment as a table and a plot: localization recall by budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from fuzzsmooth.bench.points import POINTS_FILE, LocalizationPoint
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger, write_atomic
from fuzzsmooth.report.plots import PlotSeries, recall_figure, save_png

GOAL: Final = 0.9


def build_recall(folder: Path) -> list[Path]:
    """Write ``localization.md`` and one ``localization-<trigger>.png`` per trigger.

    Args:
        folder: Holds ``localization.jsonl``, one :class:`LocalizationPoint` per line.

    Returns:
        The files written, the table first.

    Raises:
        FuzzsmoothError: If there are no points, or one is wrong.
    """
    points = recall_points(folder)
    written = [folder / "localization.md"]
    write_atomic(written[0], recall_table(points))
    for trigger in dict.fromkeys(point["trigger"] for point in points):
        written.append(folder / f"localization-{trigger}.png")
        save_png(recall_figure(recall_series(points, trigger), goal=GOAL), written[-1])
    return written


def recall_points(folder: Path) -> list[dict[str, Any]]:
    """The points of a run, at least one.

    Raises:
        FuzzsmoothError: If there are none, or one is wrong.
    """
    path = folder / POINTS_FILE
    if not path.is_file():
        raise FuzzsmoothError(f"{path} is missing; measure with 'fuzzsmooth localize --out {folder}' first")
    records = enumerate(Ledger(path).stream(), 1)
    points = [
        asdict(LocalizationPoint.from_json(record, f"{path}, record {number}")) for number, record in records
    ]
    if not points:
        raise FuzzsmoothError(f"{path} holds no points; measure them again")
    return points


def recall_table(points: Sequence[Mapping[str, Any]]) -> str:
    """The points as a Markdown table, grouped by trigger and budget, the strategies side by side."""
    strategies = list(dict.fromkeys(point["strategy"] for point in points))
    lines = []
    for trigger in dict.fromkeys(point["trigger"] for point in points):
        own = [point for point in points if point["trigger"] == trigger]
        first = own[0]
        lines += [
            f"Trigger: {trigger} ({first['triggered']} triggered texts, {first['clean']} clean ones). "
            "Recall with 95 % interval; in brackets mean evaluations per triggered text and "
            "false flags on clean texts.",
            "",
            "| budget | " + " | ".join(strategies) + " |",
            "|--:|" + "--|" * len(strategies),
        ]
        for budget in sorted({point["budget"] for point in own}):
            cells = {point["strategy"]: _cell(point) for point in own if point["budget"] == budget}
            lines.append(f"| {budget} | " + " | ".join(cells.get(name, "-") for name in strategies) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(point: Mapping[str, Any]) -> str:
    interval = f"{point['recall']:.3f} ({point['low']:.3f}-{point['high']:.3f})"
    return f"{interval} [{point['evaluations']:.0f}; {point['false_flags']:.3f}]"


def recall_series(points: Sequence[Mapping[str, Any]], trigger: str) -> dict[str, PlotSeries]:
    """Recall by budget for one trigger, with intervals: a line per search."""
    series = {}
    for strategy in dict.fromkeys(point["strategy"] for point in points):
        own = sorted(
            (point for point in points if (point["trigger"], point["strategy"]) == (trigger, strategy)),
            key=lambda point: int(point["budget"]),
        )
        if own:
            series[strategy] = PlotSeries(
                *([float(point[name]) for point in own] for name in ("budget", "recall", "low", "high"))
            )
    return series
