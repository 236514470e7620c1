"""Tables and curves of the certified-accuracy experiment, from its records alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.evaluate.certified_records import (
    CERTIFIED_RECORDS,
    CertifiedRow,
    read_certified,
    summarize_certified,
)
from fuzzsmooth.evaluate.metrics import Curve
from fuzzsmooth.evaluate.records import SETTINGS_FILE
from fuzzsmooth.report.plots import certified_figure, save_png
from fuzzsmooth.report.tables import percent, threat_words

SIZES: Final[Mapping[str, tuple[int, ...]]] = {
    "edit": (1, 2, 4),
    "insert": (1, 2, 5),
    "delete": (1, 2, 5),
    "substitute": (1, 2, 4),
    "backward": (1, 5, 10),
    "contiguous_insert": (1, 3, 5),
}
"""The sizes of each threat that the table shows, in its order; the curves show all."""


def build_certification(folder: Path) -> Path:
    """Write ``summary.json``, ``certified.md`` and a PNG per threat from the records of a run.

    The same records and settings always give the same files.

    Args:
        folder: The folder of a run of ``benchmark-certificates``.

    Returns:
        Path of the table.

    Raises:
        FuzzsmoothError: If an input is missing or wrong, or matplotlib is not installed.
    """
    settings = _settings(folder / SETTINGS_FILE)
    order = {name: place for place, name in enumerate(settings["options"]["rows"])}
    rows = summarize_certified(read_certified(folder / CERTIFIED_RECORDS))
    # A row that a later run did not ask for is still a result; it goes last.
    rows.sort(key=lambda row: order.get(row.defense, len(order)))
    write_json(folder / "summary.json", {"settings": settings, "rows": [row.to_json() for row in rows]})
    write_atomic(folder / "certified.md", _page(rows, settings))
    for threat in threats(rows):
        save_png(certified_figure(rows, threat), folder / f"certified-{threat}.png")
    return folder / "certified.md"


def is_certification(folder: Path) -> bool:
    """Whether a folder holds a run of ``benchmark-certificates``."""
    return (folder / CERTIFIED_RECORDS).is_file()


def threats(rows: Sequence[CertifiedRow]) -> list[str]:
    """The threats that any row certifies against, in the order of the table."""
    found = {threat for row in rows for threat in row.certified}
    return [threat for threat in SIZES if threat in found] + sorted(found - SIZES.keys())


def certified_markdown(rows: Sequence[CertifiedRow]) -> str:
    """The table as GitHub Markdown: accuracy, certified accuracy by threat and size, and the cost.

    A dash says that the row makes no claim about the threat, which is not the same as 0 %.
    """
    columns = [(threat, size) for threat in threats(rows) for size in SIZES.get(threat, (1,))]
    header = ["row", "texts", "accuracy", *(f"{threat} ≥ {size}" for threat, size in columns)]
    header += ["copies", "passes", "s/text"]
    lines = [_line(header), "|---|" + "--:|" * (len(header) - 1)]
    for row in rows:
        cells = [f"`{row.defense}`", str(row.texts), percent(row.accuracy / row.texts)]
        cells += [_cell(row.certified.get(threat), size) for threat, size in columns]
        cells += [f"{row.draws:.0f}", f"{row.passes:.0f}", f"{row.seconds:.2f}"]
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _page(rows: Sequence[CertifiedRow], settings: Mapping[str, Any]) -> str:
    options, data = settings["options"], settings["dataset"]
    words = "\n".join(f"* `{threat}`: {threat_words(threat).split(': ', 1)[-1]}" for threat in threats(rows))
    return (
        f"# Certified accuracy on {data['name']}\n\n"
        f"{data['train']} training texts, alpha {options['alpha']:g} per text, {options['draws']} copies "
        f"where texts are voted on, seed {options['seed']}. A text counts where the answer is right and "
        "certified; every text stays in the denominator. Every figure is a proved certificate. Accuracy is "
        "that of the vote, and in the rows `windows` that of the base model on the whole text.\n\n"
        f"{certified_markdown(rows)}\n{words}\n\n"
        "Intervals (95 %), classes and all sizes are in `summary.json`, the texts in "
        f"`{CERTIFIED_RECORDS}`.\n\n    {settings['command']}\n"
    )


def _cell(curve: Curve | None, size: int) -> str:
    if curve is None:
        return "-"
    return percent(curve.counts[size] / curve.total if size < len(curve.counts) else 0.0)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FuzzsmoothError(
            f"{path} cannot be read; give the folder of a run of benchmark-certificates"
        ) from error
    if not isinstance(settings, dict) or not {"options", "dataset", "command"} <= settings.keys():
        raise FuzzsmoothError(f"{path} is not of a run of benchmark-certificates")
    return settings
