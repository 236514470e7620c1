"""Reports: tables, plots and one self-contained page, made from the records of a run and nothing else."""

from fuzzsmooth.report.build import build_report
from fuzzsmooth.report.certification import build_certification, certified_markdown, is_certification
from fuzzsmooth.report.plots import PlotSeries, certified_figure, recall_figure, save_png, tradeoff_figure
from fuzzsmooth.report.tables import write_markdown_table

__all__ = [
    "PlotSeries",
    "build_certification",
    "build_report",
    "certified_figure",
    "certified_markdown",
    "is_certification",
    "recall_figure",
    "save_png",
    "tradeoff_figure",
    "write_markdown_table",
]
