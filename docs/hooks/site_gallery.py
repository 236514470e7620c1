"""The figures of the site, each drawn from the records under results/, or from a theorem's own formula.

A page asks for one by a comment, ``<!-- figure: NAME -->``. Figures are SVG in the colors of the page;
nothing is drawn that no record holds. ``python docs/hooks/site_gallery.py FOLDER`` writes them as PNG files.
"""

from __future__ import annotations

import argparse
import csv
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fuzzsmooth.bench.metrics import Share
from fuzzsmooth.certify import backward_radius, radius
from fuzzsmooth.report.certification import certification_figure, read_certification
from fuzzsmooth.report.plots import PlotSeries, recall_figure, save_png, to_svg, tradeoff_figure
from fuzzsmooth.report.radii import radius_figure
from fuzzsmooth.report.recall import GOAL, recall_points, recall_series

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
_ASKED = re.compile(r"^<!-- figure: ([\w-]+) -->$", re.MULTILINE)
_PIXELS = 1.45  # of a page for a point of a figure
_NAMES = {"sst2": "SST-2", "agnews": "AG's News", "offenseval": "OffensEval"}


@cache
def _certification(run: str) -> Any:
    return read_certification(RESULTS / "certificates" / run)


def _certified(run: str, threat: str) -> Any:
    rows, _, settings = _certification(run)
    return certification_figure(rows, threat, settings)


def _tradeoff(run: str) -> Any:
    rows = json.loads((RESULTS / run / "summary.json").read_text("utf-8"))["rows"]
    return tradeoff_figure([_row(row, row["defense"]) for row in rows])


def _rivals(data: str, attack: str) -> Any:
    """Every defense that a table of the grid holds for one data set and attack."""
    with (RESULTS / "paper" / "table-1.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["data"], row["attack"]) == (data, attack)]
    return tradeoff_figure([_row(row, row["row"]) for row in rows])


def _row(values: Mapping[str, Any], name: str) -> Any:
    """What the trade-off shows of a row."""
    shares = {share: _share(values, share) for share in ("ca", "asr", "asr_floor")}
    return SimpleNamespace(defense=name, **shares)


def _share(values: Mapping[str, Any], name: str) -> Share | None:
    if values[name] in (None, ""):
        return None
    count, total = (int(values[f"{name}_{part}"]) for part in ("count", "total"))
    mean, low, high = (float(values[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return Share(count, total, mean, None, low, high)


def _recall(trigger: str) -> Any:
    points = recall_points(RESULTS / "localize-sst2")
    return recall_figure(recall_series(points, trigger), goal=GOAL)


def _radii(rate: float) -> Any:
    """The radii of T1 by the share of votes: a formula, not a measurement."""
    shares = [share / 1000 for share in range(500, 1000)]
    series = {
        threat: PlotSeries(shares, [float(radius(share, rate, threat)) for share in shares])
        for threat in ("edit", "insert")
    }
    series["backward"] = PlotSeries(shares, [float(backward_radius(share, rate)) for share in shares])
    return radius_figure(series)


FIGURES: Mapping[str, tuple[str, Callable[[], Any]]] = {
    **{
        f"certified-{data}": (
            f"Certified accuracy against any edits on {name}, deletion rate .9",
            lambda data=data: _certified(f"{data}-r90", "edit"),
        )
        for data, name in _NAMES.items()
    },
    **{
        f"certified-{data}-backward": (
            f"Certified accuracy of received texts against insertions on {name}, deletion rate .9",
            lambda data=data: _certified(f"{data}-r90", "backward"),
        )
        for data, name in _NAMES.items()
    },
    "certified-agnews-windows": (
        "Certified accuracy against one inserted piece on AG's News",
        lambda: _certified("agnews-windows", "contiguous_insert"),
    ),
    "tradeoff-demo": ("Clean accuracy against attack success in the demo", lambda: _tradeoff("demo")),
    **{
        f"tradeoff-{data}": (
            f"Clean accuracy against attack success of RIPPLe on {name}, by defense",
            lambda data=data: _rivals(data, "ripple"),
        )
        for data, name in _NAMES.items()
    },
    "recall-pair": ("Recall by budget of the search, a pair of words", lambda: _recall("pair")),
    "recall-sentence": ("Recall by budget of the search, a sentence", lambda: _recall("sentence")),
    "radii": ("Radius by share of votes at deletion rate .9, theorem T1", lambda: _radii(0.9)),
}
"""Each figure by name: what it shows, and what draws it."""


@cache
def svg(name: str) -> str:
    """A figure for a page."""
    title, draw = FIGURES[name]
    drawn = re.sub(r"<style.*?</style>", "", to_svg(draw(), title), flags=re.DOTALL)
    width = float(drawn.split('viewBox="', 1)[1].split()[2]) * _PIXELS
    size = f"max-width: {width:.0f}px; --least: {0.62 * width:.0f}px"
    return f'<div class="fs-figure" style="{size}">{" ".join(drawn.split())}</div>'


def annotated() -> str:
    """Texts of the tutorial as the scan marked them: from the record of that run, character by character."""
    record = ROOT / "docs" / "records" / "scan.jsonl"
    lines = record.read_text("utf-8").splitlines() if record.is_file() else []
    return "\n".join(_marked(json.loads(line)) for line in lines)


def _marked(answer: Mapping[str, Any]) -> str:
    text, parts, last = answer["text"], [], 0
    for span in sorted(answer["spans"], key=lambda one: int(one["start"])):
        flagged = html.escape(text[span["start"] : span["end"]])
        score = f"{span['score']:.1f}"
        parts += [html.escape(text[last : span["start"]]), f'<mark title="score {score}">{flagged}</mark>']
        last = span["end"]
    parts.append(html.escape(text[last:]))
    name = html.escape(str(answer["label_name"]))
    flag = "" if answer["spans"] else ", nothing flagged"
    return f'<p class="fs-text">{"".join(parts)} <span class="fs-label">{name}{flag}</span></p>'


def insert_figures(markdown: str) -> str:
    """Put the figures where a page asks for them.

    Raises:
        KeyError: If there is no such figure.
    """
    return _ASKED.sub(lambda found: annotated() if found[1] == "annotated" else svg(found[1]), markdown)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write every figure as a PNG file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    for name, (_, draw) in FIGURES.items():
        save_png(draw(), folder / f"{name}.png")


if __name__ == "__main__":
    main()
