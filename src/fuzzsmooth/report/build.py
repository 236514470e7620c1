"""From the folder of a run to its summary and its page."""

from __future__ import annotations

from pathlib import Path

from fuzzsmooth.bench.metrics import summarize
from fuzzsmooth.bench.records import RECORDS_FILE, SETTINGS_FILE, RunSettings, TextRecord, read_records
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.common.options import require
from fuzzsmooth.report.html import render


def build_report(folder: Path) -> Path:
    """Write ``summary.json`` and ``report.html`` from ``records.jsonl`` and ``settings.json``.

    The same two inputs always give the same two outputs, byte for byte.

    Args:
        folder: The folder of the run.

    Returns:
        Path of the page.

    Raises:
        FuzzsmoothError: If an input is missing or wrong, or the outputs cannot be written.
    """
    settings = RunSettings.read(folder / SETTINGS_FILE)
    records = read_records(folder / RECORDS_FILE)
    _check_classes(records, len(settings.labels))
    rows = summarize(records, settings.aim)
    page = render(rows, records, settings)
    summary = {
        "version": settings.version,
        "rows": [row.to_json() for row in rows],
        "settings": dict(settings.mapping),
    }
    write_json(folder / "summary.json", summary)
    write_atomic(folder / "report.html", page)
    return folder / "report.html"


def _check_classes(records: list[TextRecord], classes: int) -> None:
    for record in records:
        highest = max(record.label, record.prediction or 0, len(record.votes) - 1)
        require(
            highest < classes,
            f"record {record.key} speaks of class {highest}, but settings.json names only {classes} classes",
        )
