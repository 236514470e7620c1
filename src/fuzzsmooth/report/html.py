"""The page: one self-contained HTML file that needs no network, in light and dark, on screen and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fuzzsmooth.bench.catalog import ablates, main_rows
from fuzzsmooth.bench.metrics import Row
from fuzzsmooth.bench.records import RunSettings, TextRecord
from fuzzsmooth.report.examples import choose_examples
from fuzzsmooth.report.pages import filled
from fuzzsmooth.report.plots import certified_figure, to_svg, tradeoff_figure
from fuzzsmooth.report.tables import (
    ablated_rows,
    ablation_tables,
    certified_table,
    main_table,
    percent,
    settings_rows,
    threat_words,
    threats_of,
)
from fuzzsmooth.report.verdict import UNDEFENDED, best_row, target_words, verdict

_SECTIONS: Final = (
    ("Data", "dataset"),
    ("Attack", "attack"),
    ("Model", "model"),
    ("Options", "options"),
    ("Software", "versions"),
)
_SHOWN: Final = {
    "version",
    "target",
    "labels",
    "seeds",
    "command",
    "quoted",
    *(name for _, name in _SECTIONS),
}


def render(rows: Sequence[Row], records: Sequence[TextRecord], settings: RunSettings) -> str:
    """The whole page.

    Every text, label, setting and name is foreign and is escaped; only the plots are inserted as markup, and
    matplotlib escapes the names in them.

    Args:
        rows: The metrics.
        records: The records behind them, for the examples.
        settings: The settings of the run.

    Raises:
        MissingExtraError: If jinja2 or matplotlib is not installed.
    """
    return filled("report.html.j2", _context(rows, records, settings))


def _context(rows: Sequence[Row], records: Sequence[TextRecord], settings: RunSettings) -> dict[str, Any]:
    best = best_row(rows)
    usual = main_rows(rows)
    examples_of, groups = choose_examples(rows, records, settings.aim)
    return {
        "title": _title(settings),
        "facts": _facts(rows, settings),
        "verdict": verdict(rows, settings),
        "best": best.defense if best else "",
        "main": main_table(rows),
        "ablations": _ablations(rows),
        "certificates": _certificates(usual),
        "tradeoff": _tradeoff(usual),
        "examples_of": examples_of,
        "groups": groups,
        "labels": settings.labels,
        "untargeted": settings.target is None,
        "quoted": settings.mapping.get("quoted") or [],
        "sections": _settings_sections(settings),
        "command": settings.mapping.get("command", ""),
        "version": settings.version,
        "threat_words": threat_words,
        "percent": percent,
        "several_seeds": any(len(row.seeds) > 1 for row in rows),
        "has_undefended": any(row.defense == UNDEFENDED for row in rows),
    }


def _title(settings: RunSettings) -> str:
    attack = settings.section("attack")
    name = attack.get("attack") or attack.get("name")
    data = settings.section("dataset").get("name")
    return f"{name or 'Backdoor'} attack on {data}" if data else f"{name or 'Backdoor'} attack"


def _facts(rows: Sequence[Row], settings: RunSettings) -> list[str]:
    seeds = sorted({seed for row in rows for seed in row.seeds})
    clean, triggered = (
        max(sizes) for sizes in zip(*((r.texts_clean, r.texts_triggered) for r in rows), strict=True)
    )
    stopped = ["this run was stopped before all rows were measured"] if settings.unfinished else []
    return [
        *stopped,
        f"target: {target_words(settings)}"
        if settings.target is None
        else f"target label {target_words(settings)}",
        f"{clean:,} clean and {triggered:,} triggered answers per defense",
        f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'} ({', '.join(map(str, seeds))})",
        f"fuzzsmooth {settings.version}",
    ]


def _certificates(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Tables and curves, one group per kind of guarantee and direction, the proved ones first."""
    groups = []
    for conditional in (False, True):
        for backward in (False, True):
            threats = threats_of(rows, conditional=conditional, backward=backward)
            if threats:
                groups.append(
                    {
                        "conditional": conditional,
                        "backward": backward,
                        "accuracy": certified_table(rows, threats, "certified"),
                        "bound": certified_table(rows, threats, "certified_asr"),
                        "recalls": [
                            row for row in rows if any(threat in row.certified for threat in threats)
                        ],
                        "curves": [(threat, _certified_svg(rows, threat)) for threat in threats],
                    }
                )
    return groups


def _ablations(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The tables of each group of ablations: metrics, then certified accuracy for each kind of guarantee."""
    groups = []
    for group, table in zip(ablated_rows(rows), ablation_tables(rows), strict=True):
        certified = [
            {
                "conditional": conditional,
                "backward": backward,
                "accuracy": certified_table(
                    group, threats_of(group, conditional=conditional, backward=backward), "certified"
                ),
            }
            for conditional in (False, True)
            for backward in (False, True)
        ]
        shown = [kind for kind in certified if kind["accuracy"]]
        groups.append({"base": ablates(group[-1].defense), "main": table, "certified": shown})
    return groups


def _certified_svg(rows: Sequence[Row], threat: str) -> str:
    return to_svg(certified_figure(rows, threat), f"Certified accuracy by radius, {threat}")


def _tradeoff(rows: Sequence[Row]) -> str:
    if not any(row.ca and row.asr for row in rows):
        return ""
    return to_svg(tradeoff_figure(rows), "Clean accuracy against attack success rate of every defense")


def _settings_sections(settings: RunSettings) -> list[tuple[str, list[tuple[str, str]]]]:
    general = {
        "labels": settings.labels,
        "target": target_words(settings),
        "seeds": settings.mapping.get("seeds", []),
    }
    general |= {name: value for name, value in settings.mapping.items() if name not in _SHOWN}
    sections = [("Run", settings_rows(general))]
    sections += [(title, settings_rows(settings.section(name))) for title, name in _SECTIONS]
    return [(title, pairs) for title, pairs in sections if pairs]
