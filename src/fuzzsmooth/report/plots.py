"""Plots of a report: certified accuracy by radius, the trade-off of a defense, recall by search budget.

Figures are made without a display and without global state. Every defense keeps one color, marker and line
style in all of them; the colors are those of Okabe and Ito, which color-blind readers can tell apart.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from fuzzsmooth.bench.metrics import Curve, Row
from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import printable
from fuzzsmooth.report.verdict import UNDEFENDED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The page swaps these two, and the colors below, for its own, so that the plots follow dark and light.
_INK: Final = "#21262c"
_GRID: Final = "#d9dcdf"

_COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_THEMED: Final = {
    _INK: "currentColor",
    _GRID: "var(--grid)",
    **{color: f"var(--line-{place}, {color})" for place, color in enumerate(_COLORS, 1)},
}
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
_LINES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (5, 1.5, 1, 1.5)))
_SMALL: Final = (4.6, 3.2)
_WIDE: Final = (7.6, 3.9)
_LONGEST_NAME: Final = 32
_ROOF: Final = 1.03  # where a share's axis ends: markers and caps at 100 % are drawn whole


@dataclass(frozen=True)
class PlotSeries:
    """One line of a plot as plain numbers.

    Attributes:
        x: Positions, ascending.
        y: Values, as many.
        low: Lower ends of their intervals; empty for none.
        high: Upper ends; empty for none.
    """

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()

    def __post_init__(self) -> None:
        require(
            len(self.x) == len(self.y) > 0
            and len(self.low) == len(self.high)
            and len(self.low) in (0, len(self.x)),
            "a plot series needs as many y as x, at least one, and an interval for every point or for none",
        )


@dataclass(frozen=True)
class Style:
    """How one defense is drawn everywhere."""

    color: str
    marker: str
    line: Any


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style per name, by place; the undefended row is drawn in the color of the text."""
    chosen: dict[str, Style] = {}
    for name in names:
        place = len(chosen) - (UNDEFENDED in chosen)
        chosen[name] = (
            Style(_INK, "*", _LINES[0])
            if name == UNDEFENDED
            else Style(
                _COLORS[place % len(_COLORS)],
                _MARKERS[place % len(_MARKERS)],
                _LINES[(place // len(_COLORS)) % len(_LINES)],
            )
        )
    return chosen


class HasCurves(Protocol):
    """A defense and its certified shares: a row of any experiment."""

    @property
    def defense(self) -> str:
        """Its name."""
        ...

    @property
    def certified(self) -> Mapping[str, Curve]:
        """Per threat, the texts answered right and certified, by radius."""
        ...


def certified_figure(
    rows: Sequence[HasCurves], threat: str, *, asked: Mapping[str, int] = MappingProxyType({})
) -> Figure:
    """Certified accuracy by radius for one threat, a step per radius, with 95 % intervals.

    Args:
        rows: The metrics of the run; those without the threat are left out but keep their style.
        threat: Name of the threat.
        asked: By row the largest radius that was asked about; a curve that reaches it ends there instead of
            falling to 0. Rows that are not named could have found any radius.

    Raises:
        FuzzsmoothError: If no row has the threat.
        MissingExtraError: If matplotlib is not installed.
    """
    style = styles([row.defense for row in rows])
    curves = {row.defense: row.certified[threat] for row in rows if threat in row.certified}
    require(bool(curves), f"no row has a radius for the threat '{threat}'")
    reached = max(len(curve.counts) for curve in curves.values())
    with plain_axes("radius r", "correct and certified at radius ≥ r", _SMALL) as (figure, axes):
        for defense, curve in curves.items():
            look = style[defense]
            # One more point, where it is known: past the last radius of any text nothing is certified.
            past = [0.0] if len(curve.counts) <= asked.get(defense, len(curve.counts)) else []
            places = [*range(len(curve.counts) + len(past))]
            shares = [*curve.shares, *past]
            low = [*(point.low for point in curve.points), *past]
            high = [*(point.high for point in curve.points), *past]
            axes.fill_between(places, low, high, step="mid", color=look.color, alpha=0.14, linewidth=0)
            axes.step(
                places, shares, where="mid", color=look.color, linestyle=look.line, label=_named(defense)
            )
            if len(places) <= 24:
                axes.plot(places, shares, look.marker, color=look.color, markersize=4.5)
        axes.set_xlim(-0.4, reached + 0.4)
        axes.set_ylim(0, _ROOF)
        _whole_ticks(axes)
        _percent_axis(axes, "y")
        axes.legend(loc="upper right")
    return figure


def tradeoff_figure(rows: Sequence[Row]) -> Figure:
    """Attack success against clean accuracy with 95 % intervals, and the floor as a vertical line.

    The line stands at the floor of the undefended row, or of the first row where that is absent: left of
    it, nothing can be gained by handling the trigger better.

    Raises:
        FuzzsmoothError: If no row has both figures.
        MissingExtraError: If matplotlib is not installed.
    """
    style = styles([row.defense for row in rows])
    shown = [row for row in rows if row.ca and row.asr]
    require(bool(shown), "the trade-off needs clean accuracy and attack success of at least one defense")
    with plain_axes("attack success rate (lower is better)", "clean accuracy (higher is better)", _WIDE) as (
        figure,
        axes,
    ):
        for row in shown:
            if not (row.ca and row.asr):
                continue
            look = style[row.defense]
            x, y = row.asr, row.ca
            axes.errorbar(
                x.mean,
                y.mean,
                # The interval is that of a rounded count; with unequal seeds the mean may lie outside it.
                xerr=[[max(0.0, x.mean - x.low)], [max(0.0, x.high - x.mean)]],
                yerr=[[max(0.0, y.mean - y.low)], [max(0.0, y.high - y.mean)]],
                fmt=look.marker,
                color=look.color,
                elinewidth=1.2,
                capsize=2.5,
                markersize=9 if look.marker == "*" else 6.5,
                label=_named(row.defense),
            )
        floor_row = next((row for row in shown if row.defense == UNDEFENDED), shown[0])
        if floor_row.asr_floor:
            axes.axvline(
                floor_row.asr_floor.mean, color=_INK, linewidth=1, linestyle=(0, (2, 2)), label="ASR floor"
            )
        axes.set_xlim(1 - _ROOF, _ROOF)
        lowest = min(row.ca.low for row in shown if row.ca)
        axes.set_ylim(max(1 - _ROOF, lowest - 0.06), _ROOF)
        _percent_axis(axes, "x")
        _percent_axis(axes, "y")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def recall_figure(series: Mapping[str, PlotSeries], *, goal: float | None = None) -> Figure:
    """Localization recall by search budget, one line per search, on a logarithmic budget axis.

    Args:
        series: Name of the search to (budget in evaluations per text, recall in [0, 1]).
        goal: A recall to mark with a horizontal line, or None.

    Raises:
        FuzzsmoothError: If there is no series, or a budget is not positive.
        MissingExtraError: If matplotlib is not installed.
    """
    require(bool(series), "recall by budget needs at least one search")
    budgets = sorted({budget for line in series.values() for budget in line.x})
    require(budgets[0] > 0, "a search budget must be positive")
    style = styles(list(series))
    with plain_axes("search budget, evaluations per text", "localization recall", _WIDE) as (figure, axes):
        for name, line in series.items():
            look = style[name]
            if line.low:
                axes.fill_between(line.x, line.low, line.high, color=look.color, alpha=0.14, linewidth=0)
            axes.plot(
                line.x,
                line.y,
                marker=look.marker,
                color=look.color,
                linestyle=look.line,
                markersize=5,
                label=_named(name),
            )
        if goal is not None:
            axes.axhline(goal, color=_INK, linewidth=0.8, linestyle=(0, (2, 2)))
        axes.set_xscale("log", base=2)
        axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
        axes.minorticks_off()
        axes.set_ylim(0, _ROOF)
        _percent_axis(axes, "y")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def save_png(figure: Figure, path: Path, *, dpi: int = 160) -> Path:
    """Write a figure as PNG on white, atomically; returns the path.

    Raises:
        FuzzsmoothError: If the file cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=dpi, facecolor="white", bbox_inches="tight", metadata={"Software": None}
    )
    write_atomic(path, buffer.getvalue())
    return path


def to_svg(figure: Figure, description: str) -> str:
    """A figure as an SVG element in the page's font and colors; the same figure gives the same bytes.

    Args:
        figure: The figure.
        description: What it shows, for readers who do not see it.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    unstamped = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # The salt names the clip paths: figures of one page must not share names for different shapes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": description}):
        figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata=unstamped)
    element = buffer.getvalue()[buffer.getvalue().index("<svg") :]
    opening, rest = element.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    require(box is not None, "matplotlib wrote an SVG without a viewBox")
    label = description.translate({38: "&amp;", 34: "&quot;", 60: "&lt;", 62: "&gt;"})
    # Group names repeat between figures and nothing refers to them; the page must not hold one name twice.
    rest = re.sub(r'<g id="[^"]*">', "<g>", rest).replace(' xlink:href="#', ' href="#')
    for color, themed in _THEMED.items():
        rest = rest.replace(f": {color}", f": {themed}")
    return f'<svg {box[0] if box else ""} role="img" aria-label="{label}">{rest}'


@contextmanager
def plain_axes(x_label: str, y_label: str, size: tuple[float, float]) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one plain axis pair; the settings hold only while it is being drawn."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report", "drawing plots") from error
    look: Any = {
        "font.size": 9.5,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "grid.color": _GRID,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "lines.linewidth": 1.7,
        "legend.frameon": False,
        # A defense may be called "$5"; that is a name, not mathematics.
        "text.parse_math": False,
    }
    with mpl.rc_context(look):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.grid(visible=True, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        yield figure, axes


def _named(name: str) -> str:
    """A name as it fits into a legend; matplotlib leaves out what starts with an underscore."""
    name = printable(name)
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME // 2]}…{name[-(_LONGEST_NAME // 2 - 1) :]}"
    return f" {name}" if name.startswith("_") else name


def _percent_axis(axes: Axes, which: str) -> None:
    from matplotlib.ticker import PercentFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _whole_ticks(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
