from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from report_synthetic import TARGET, synthetic_records

from fuzzsmooth.bench.metrics import Row, summarize
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.report.plots import (
    PlotSeries,
    certified_figure,
    recall_figure,
    save_png,
    styles,
    to_svg,
    tradeoff_figure,
)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return summarize(synthetic_records(), TARGET)


def test_a_curve_that_reaches_what_was_asked_ends_there(rows: list[Row]) -> None:
    curve = next(row for row in rows if row.defense == "deletion").certified["edit"]
    reached = len(curve.counts) - 1
    for asked, past in ((reached, []), (reached + 1, [0.0])):
        axes = certified_figure(rows, "edit", asked={"deletion": asked}).axes[0]
        assert list(axes.lines[0].get_ydata()) == [*curve.shares, *past]


def test_certified_figure_draws_the_shares(rows: list[Row]) -> None:
    axes = certified_figure(rows, "edit").axes[0]
    curve = next(row for row in rows if row.defense == "deletion").certified["edit"]
    assert list(axes.lines[0].get_ydata()) == [*curve.shares, 0.0]
    band = axes.collections[0].get_paths()[0].vertices[:, 1]  # type: ignore[union-attr,index]
    assert set(band) == {0.0, *(p.low for p in curve.points), *(p.high for p in curve.points)}
    with pytest.raises(FuzzsmoothError, match="no row has a radius"):
        certified_figure(rows, "sorcery")


def test_tradeoff_figure_draws_the_points_and_the_floor(rows: list[Row]) -> None:
    axes = tradeoff_figure(rows).axes[0]
    points = {(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines}  # type: ignore[index]
    assert {(row.asr.mean, row.ca.mean) for row in rows if row.asr and row.ca} <= points
    assert any(line.get_xdata()[0] == rows[0].asr_floor.mean for line in axes.lines)  # type: ignore[index,union-attr]
    with pytest.raises(FuzzsmoothError, match="at least one defense"):
        tradeoff_figure([replace(rows[0], asr=None)])


def test_what_is_perfect_is_drawn_whole(rows: list[Row]) -> None:
    """The largest marker and a cap at 100 % and at 0 % lie inside the axes."""
    assert rows[0].ca is not None
    perfect = replace(rows[0].ca, mean=1.0, low=0.99, high=1.0)
    nothing = replace(rows[0].ca, mean=0.0, low=0.0, high=0.01)
    for first, second in ((perfect, nothing), (nothing, perfect)):
        figure = tradeoff_figure([replace(rows[0], ca=first, asr=second)])
        figure.canvas.draw()
        axes = figure.axes[0]
        x, y = axes.transData.transform((second.mean, first.mean))
        radius = 9 / 2 / 72 * figure.dpi
        box = axes.bbox
        assert box.x0 + radius <= x <= box.x1 - radius
        assert box.y0 + radius <= y <= box.y1 - radius
    for axes in (
        certified_figure(rows, "edit").axes[0],
        recall_figure({"tree": PlotSeries([8], [1])}).axes[0],
    ):
        assert axes.get_ylim()[1] > 1.02


def test_svg_is_well_formed_local_themed_and_reproducible(rows: list[Row]) -> None:
    text = to_svg(tradeoff_figure(rows), 'points & "floor" <')
    ElementTree.fromstring(text)
    assert "currentColor" in text
    assert "var(--grid)" in text
    assert "<metadata" not in text
    assert text == to_svg(tradeoff_figure(rows), 'points & "floor" <')


def test_names_are_neither_mathematics_nor_markup_nor_lost(rows: list[Row]) -> None:
    names = ["$x_1$ <script>alert(1)</script>", "_hidden", "a & b", "$"]
    changed = [replace(row, defense=name) for row, name in zip(rows, names, strict=True)]
    text = to_svg(tradeoff_figure(changed), "names")
    assert "<script" not in text
    shown = "".join(ElementTree.fromstring(text).itertext())
    assert all(name in shown for name in names)


def test_a_long_name_leaves_room_for_the_plot(rows: list[Row]) -> None:
    long = f"beginning-{'x' * 200}-end"
    figure = tradeoff_figure([replace(rows[0], defense=long), *rows[1:]])
    (name,) = [text for text in legend(figure) if "beginning" in text]
    assert len(name) == 32
    assert name.startswith("beginning-x")
    assert name.endswith("-end")
    to_svg(figure, "laid out")
    assert figure.axes[0].get_position().width > 0.5
    assert {row.defense for row in rows} <= set(legend(tradeoff_figure(rows)))


def legend(figure: Figure) -> list[str]:
    shown = figure.axes[0].get_legend()
    assert shown is not None
    return [text.get_text() for text in shown.get_texts()]


def test_styles_are_distinct_and_keep_their_place() -> None:
    names = ["undefended", *(f"defense {number}" for number in range(20))]
    chosen = styles(names)
    assert len({(s.color, s.marker, str(s.line)) for s in chosen.values()}) == len(names)
    assert chosen["defense 0"] == styles(["defense 0"])["defense 0"]


def test_recall_by_budget_is_saved_as_png(tmp_path: Path) -> None:
    budgets = (8, 16, 32, 64)
    figure = recall_figure(
        {
            "tree": PlotSeries(budgets, (0.2, 0.5, 0.9, 1.0), (0.1, 0.4, 0.8, 0.9), (0.3, 0.6, 1.0, 1.0)),
            "random": PlotSeries(budgets, (0.1, 0.2, 0.3, 0.4)),
        },
        goal=0.9,
    )
    path = save_png(figure, tmp_path / "deep" / "recall.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(figure.axes[0].lines[0].get_ydata()) == [0.2, 0.5, 0.9, 1.0]


def test_bad_series_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="as many y as x"):
        PlotSeries((1, 2), (0.5,))
    with pytest.raises(FuzzsmoothError, match="interval"):
        PlotSeries((1, 2), (0.5, 0.6), (0.1,), (0.2,))
    with pytest.raises(FuzzsmoothError, match="at least one search"):
        recall_figure({})
    with pytest.raises(FuzzsmoothError, match="positive"):
        recall_figure({"tree": PlotSeries((0,), (0.5,))})


def test_without_matplotlib_the_extra_is_named(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"fuzzsmooth\[report\]"):
        tradeoff_figure(rows)
