"""Tables and curves of the certified-accuracy experiment, from its records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fuzzsmooth.bench.certified_records import (
    CERTIFIED_RECORDS,
    CertifiedRecord,
    CertifiedRow,
    compare,
    read_certified,
    summarize_certified,
)
from fuzzsmooth.bench.fields import integer, number, parse_fields, several, string
from fuzzsmooth.bench.metrics import Curve
from fuzzsmooth.bench.records import SETTINGS_FILE
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.common.printing import displayable
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.report.plots import certified_figure, save_png
from fuzzsmooth.report.tables import percent, threat_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    rows, records, settings = read_certification(folder)
    write_json(folder / "summary.json", {"settings": settings, "rows": [row.to_json() for row in rows]})
    write_atomic(folder / "certified.md", displayable(_page(rows, records, settings)))
    for threat in threats(rows):
        save_png(certification_figure(rows, threat, settings), folder / f"certified-{threat}.png")
    return folder / "certified.md"


def read_certification(
    folder: Path,
) -> tuple[list[CertifiedRow], list[CertifiedRecord], dict[str, Any]]:
    """The rows of a run in the order of its settings, its records, and its settings.

    Raises:
        FuzzsmoothError: If an input is missing or wrong.
    """
    settings = _settings(folder / SETTINGS_FILE)
    order = {name: place for place, name in enumerate(settings["options"]["rows"])}
    records = read_certified(folder / CERTIFIED_RECORDS)
    rows = summarize_certified(records)
    # A row that a later run did not ask for is still a result; it goes last.
    rows.sort(key=lambda row: order.get(row.defense, len(order)))
    return rows, records, settings


def certification_figure(rows: Sequence[CertifiedRow], threat: str, settings: Mapping[str, Any]) -> Figure:
    """The curves of one threat; those that end at the largest radius that was asked for end there.

    Raises:
        FuzzsmoothError: If no row has the threat.
        MissingExtraError: If matplotlib is not installed.
    """
    return certified_figure(rows, threat, asked=_asked(rows, threat, settings["options"]["longest"]))


def is_certification(folder: Path) -> bool:
    """Whether a folder holds a run of ``benchmark-certificates``."""
    return (folder / CERTIFIED_RECORDS).is_file()


def threats(rows: Sequence[CertifiedRow]) -> list[str]:
    """The threats that any row certifies against, in the order of the table."""
    found = {threat for row in rows for threat in row.certified}
    return [threat for threat in SIZES if threat in found] + sorted(found - SIZES.keys())


def certified_markdown(rows: Sequence[CertifiedRow]) -> str:
    """The table as GitHub Markdown: accuracy, certified accuracy by threat and size, and the cost.

    In brackets stands the balanced certified accuracy, the mean over the classes. A dash says that the row
    makes no claim about the threat, which is not the same as 0 %.
    """
    columns = [(threat, size) for threat in threats(rows) for size in SIZES.get(threat, (1,))]
    header = ["row", "texts", "accuracy", *(f"{threat} ≥ {size}" for threat, size in columns)]
    header += ["copies", "passes", "s/text", "guarantee", "rounding band"]
    lines = [_line(header), "|---|" + "--:|" * (len(header) - 1)]
    for row in rows:
        cells = [f"`{row.defense}`", str(row.texts), percent(row.accuracy / row.texts)]
        cells += [_both(row, threat, size) for threat, size in columns]
        cells += [f"{row.draws:.0f}", f"{row.passes:.0f}", f"{row.seconds:.2f}", *_rounding(row)]
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def classes_markdown(rows: Sequence[CertifiedRow]) -> str:
    """The same shares among the texts of each class: a row may gain in one what it loses in another."""
    columns = [(threat, size) for threat in threats(rows) for size in SIZES.get(threat, (1,))]
    header = ["row", "class", "texts", *(f"{threat} ≥ {size}" for threat, size in columns)]
    lines = [_line(header), "|---|--:|" + "--:|" * (len(header) - 2)]
    for row in rows:
        for label, total in _class_totals(row).items():
            cells = [f"`{row.defense}`", str(label), str(total)]
            cells += [
                _cell(row.certified_by_class[threat][label] if threat in row.certified else None, size)
                for threat, size in columns
            ]
            lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def pairs_markdown(rows: Sequence[CertifiedRow], records: Sequence[CertifiedRecord]) -> str:
    """Each row against its opponent text by text: certified texts gained, lost, and the sign test between."""
    columns = [(threat, size) for threat in threats(rows) for size in SIZES.get(threat, (1,))]
    lines = []
    for row in rows:
        other = opponent(row.defense, [one.defense for one in rows])
        if other is None:
            continue
        pairs = [compare(records, row.defense, other, threat, size) for threat, size in columns]
        if any(pairs):
            cells = [
                "-" if one is None else f"+{one.gained} -{one.lost} (p {one.p_value:.2g})" for one in pairs
            ]
            lines.append(_line([f"`{row.defense}`", f"`{other}`", *cells]))
    if not lines:
        return ""
    header = ["row", "against", *(f"{threat} ≥ {size}" for threat, size in columns)]
    return "\n".join([_line(header), "|---|---|" + "--:|" * len(columns), *lines]) + "\n"


def opponent(row: str, rows: Sequence[str]) -> str | None:
    """What a row is held against: RS-Del at its rate, else any RS-Del; for windows the plain model."""
    if row.startswith("rs-del:"):
        return None
    kind, _, rate = row.partition(":")
    if kind.startswith("windows"):
        wanted = ["windows-plain"]
    else:
        wanted = [f"rs-del:{rate}", *(one for one in rows if one.startswith("rs-del:"))]
    return next((one for one in wanted if one in rows and one != row), None)


def _asked(rows: Sequence[CertifiedRow], threat: str, longest: int) -> dict[str, int]:
    """The largest sizes that the deterministic rows were asked about."""
    if threat == "contiguous_insert":
        return {row.defense: longest for row in rows}
    scattered = {"edit": 1, "insert": 2}
    return {"scattered": scattered[threat]} if threat in scattered else {}


def _class_totals(row: CertifiedRow) -> dict[int, int]:
    """Texts of each true class."""
    curves = next(iter(row.certified_by_class.values()), {})
    return {label: curve.total for label, curve in curves.items() if curve.total}


def _page(
    rows: Sequence[CertifiedRow], records: Sequence[CertifiedRecord], settings: Mapping[str, Any]
) -> str:
    options, data = settings["options"], settings["dataset"]
    words = "\n".join(f"* `{threat}`: {threat_words(threat).split(': ', 1)[-1]}" for threat in threats(rows))
    return (
        f"# Certified accuracy on {data['name']}\n\n"
        f"{data['train']} training texts, alpha {options['alpha']:g} per text, {options['draws']} copies "
        f"where texts are voted on, seed {options['seed']}. A text counts where the answer is right and "
        "certified; every text stays in the denominator. In brackets: balanced, the mean of this share over "
        "the classes, so that always answering one of two classes is worth 50 %. Certificates are those of "
        "'fuzzsmooth certify': "
        "draws within the rounding band count for no class, and where the band was measured the certificate "
        "is conditional on it. Accuracy is that of the vote, certified or not, and in the rows `windows` and "
        "`scattered` that of the procedure against one word.\n\n"
        f"{certified_markdown(rows)}\n{words}\n\n{_compared(rows, records)}"
        f"## By class\n\nShares of the texts of each class. {_largest(rows)}\n\n{classes_markdown(rows)}\n"
        "Intervals (95 %), classes and all sizes are in `summary.json`, the texts in "
        f"`{CERTIFIED_RECORDS}`.\n\n    {settings['command']}\n"
    )


def _compared(rows: Sequence[CertifiedRow], records: Sequence[CertifiedRecord]) -> str:
    table = pairs_markdown(rows, records)
    if not table:
        return ""
    return (
        "## Text by text\n\nTexts that a row certifies and its opponent does not, and the reverse; p of "
        f"the exact two-sided sign test, of each pair alone.\n\n{table}\n"
    )


def _largest(rows: Sequence[CertifiedRow]) -> str:
    """What answering one class always would be worth: the yardstick of every certified share."""
    totals = _class_totals(rows[0])
    if not totals:
        return ""
    label = max(totals, key=lambda one: totals[one])
    share = percent(totals[label] / sum(totals.values()))
    return f'Always answering class {label} would be "certified" on {share} of all texts at every size.'


def _cell(curve: Curve | None, size: int) -> str:
    if curve is None:
        return "-"
    return percent(curve.counts[size] / curve.total if size < len(curve.counts) else 0.0)


def _both(row: CertifiedRow, threat: str, size: int) -> str:
    """The share of all texts, and in brackets the mean over the classes."""
    if threat not in row.certified:
        return "-"
    return f"{_cell(row.certified[threat], size)} ({percent(row.balanced(threat, size))})"


def _rounding(row: CertifiedRow) -> list[str]:
    if not row.guarantee:
        return ["-", "none"]
    known = row.undecided is not None and row.guard
    texts = f" ({row.undecided} texts with a draw inside)" if known else ""
    return [row.guarantee, f"{row.guard:g}{texts}"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _settings(path: Path) -> dict[str, Any]:
    """The settings of a run, those that the page needs checked."""
    settings = read_json_object(path, mend=_ANOTHER)
    for name, parsers in _NEEDED.items():
        part = settings.get(name) if name else settings
        try:
            found = {one: part[one] for one in parsers if one in part} if isinstance(part, Mapping) else part
            parse_fields(found, parsers, name or "settings")
        except FuzzsmoothError as error:
            raise FuzzsmoothError(f"{path} is not of such a run ({error}); {_ANOTHER}") from error
    return settings


_ANOTHER: Final = "give the folder of a run of benchmark-certificates"
_NEEDED: Final[Mapping[str, Mapping[str, Any]]] = {
    "": {"command": string},
    "options": {
        "rows": several(string),
        **dict.fromkeys(("longest", "draws", "seed"), integer),
        "alpha": number,
    },
    "dataset": {"name": string, "train": integer},
}
