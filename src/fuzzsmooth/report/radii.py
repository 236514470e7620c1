"""Radius by the share of votes: what a theorem gives for every probability, as a plot of its formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fuzzsmooth.common.options import require
from fuzzsmooth.report.plots import PlotSeries, plain_axes, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def radius_figure(series: Mapping[str, PlotSeries]) -> Figure:
    """Steps of the radius over a lower bound of the top class's probability, one line per threat.

    Args:
        series: Threat to (lower bounds in [0, 1], radii in units).

    Raises:
        FuzzsmoothError: If there is no series.
        MissingExtraError: If matplotlib is not installed.
    """
    require(bool(series), "a plot of radii needs at least one threat")
    style = styles(list(series))
    labels = ("lower bound of the label's share of votes", "certified radius r in words")
    with plain_axes(*labels, (6.2, 3.6)) as (figure, axes):
        for name, line in series.items():
            look = style[name]
            axes.step(line.x, line.y, where="post", color=look.color, linestyle=look.line, label=name)
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left")
    return figure
