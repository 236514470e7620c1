"""Copy what is kept of the runs into this folder, and put its tables into the two README files.

Run from the repository root, after the commands named in results/README.md:

    python results/collect.py runs

A run that is not there keeps what was collected before. Nothing is computed here: tables and plots are
rebuilt from the records by fuzzsmooth.report.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.bench import RunSettings, read_records, summarize
from fuzzsmooth.bench.catalog import main_rows
from fuzzsmooth.bench.grid.measured import Measured, Setting, read_measured
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.report import build_report, save_png, tradeoff_figure, write_markdown_table
from fuzzsmooth.report.certification import build_certification
from fuzzsmooth.report.grid.tables import build_sheets
from fuzzsmooth.report.plots import certified_figure
from fuzzsmooth.report.recall import build_recall

HERE = Path(__file__).resolve().parent
RUNS = ("demo", "sst2", "agnews", "offenseval", "ablations-sst2", "lwp-sst2")
SEARCHES = ("localize-sst2", "localize-agnews")
GRID = "paper"
OURS = ("frs", "frs-transplant", "frs-kl")
HEADLINE = {"sst2": "SST-2", "agnews": "AG's News", "offenseval": "OffensEval"}
FORWARD = ("contiguous_insert", "edit", "insert", "delete")
CURVES = (*FORWARD, "backward")


def collect_run(run: Path, target: Path) -> None:
    """Summary, tables and plots of one experiment."""
    build_report(run)
    target.mkdir(exist_ok=True)
    shutil.copy(run / "summary.json", target / "summary.json")
    aim = RunSettings.read(run / "settings.json").aim
    rows = summarize(read_records(run / "records.jsonl"), aim)
    write_atomic(target / "table.md", write_markdown_table(rows) + certified_shares(target / "summary.json"))
    save_png(tradeoff_figure(main_rows(rows)), target / "tradeoff.png")
    for threat in CURVES:
        if any(threat in row.to_json()["certified"] for row in rows):
            save_png(certified_figure(rows, threat), target / f"certified-{threat}.png")


def certified_shares(summary: Path) -> str:
    """Proved certified accuracy: shares of texts right and certified at a radius of at least r, as tables.

    Forward radii, from a clean text, and backward ones, from a received text, are different claims and
    stand in different tables.
    """
    rows = json.loads(summary.read_text("utf-8"))["rows"]
    forward = _curves(rows, FORWARD, "Proved certified accuracy by radius in words, from a clean text")
    backward = _curves(
        rows, ("backward",), "The same from a received text (how many of its words were inserted)"
    )
    return forward + backward


def _curves(rows: list[dict[str, Any]], threats: tuple[str, ...], title: str) -> str:
    lines = []
    for row in rows:
        for threat in threats:
            curve = row["certified"].get(threat)
            if row["guarantee"] == "proved" and curve:
                shares = [f"{curve[r]:.3f}" if r < len(curve) else "0" for r in range(6)]
                lines.append(f"| {row['defense']} | {threat} | " + " | ".join(shares) + " |")
    if not lines:
        return ""
    head = f"\n{title}:\n\n| row | threat | 0 | 1 | 2 | 3 | 4 | 5 |\n|---|---|--:|--:|--:|--:|--:|--:|\n"
    return head + "\n".join(lines) + "\n"


def headline() -> str:
    """One line per data set and defense: accuracy, attack success and its floor, in percent."""
    lines = [
        "| data | defense | CA | ASR | ASR floor | PA | triggers found | false flags | s/text |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for folder, title in HEADLINE.items():
        summary = HERE / folder / "summary.json"
        if not summary.is_file():
            continue
        for row in json.loads(summary.read_text("utf-8"))["rows"]:
            if row["defense"] in ("undefended", "frs-kl", "frs-transplant"):
                shares = ("ca", "asr", "asr_floor", "pa", "localization_recall", "false_flag_rate")
                cells = " | ".join(_percent(row, name) for name in shares)
                lines.append(f"| {title} | `{row['defense']}` | {cells} | {row['seconds_per_text']:.2g} |")
    return "\n".join(lines)


def collect_grid(run: Path, target: Path) -> None:
    """The tables of a grid for people and as numbers, every certified radius, and the short one."""
    target.mkdir(exist_ok=True)
    sheets = build_sheets(run)
    for sheet in sheets:
        write_atomic(target / f"table-{sheet.name}.md", sheet.markdown())
        write_atomic(target / f"table-{sheet.name}.csv", sheet.csv())
    if any(sheet.name.startswith("2") for sheet in sheets):
        (radii,) = build_sheets(run, ["radii"])
        write_atomic(target / "radii.csv", radii.csv())
    write_atomic(target / "short.md", attacks_in_short(read_measured(run).settings) + "\n")


def attacks_in_short(settings: Sequence[Setting]) -> str:
    """One line per data set and attack: undefended, ours, and the rival that reads triggered texts best."""
    lines = [
        "| data | attack | undefended CA | ASR | `frs-transplant` CA | ASR | `frs` CA | ASR | floor | found "
        "| false flags | best rival (of) | CA | ASR | PA | `frs` PA |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|",
    ]
    for setting in settings:
        rows = {row.name: row for row in setting.rows}
        plain, own = rows.get("undefended"), rows.get("frs")
        if plain is None or own is None or plain.row.asr is None:
            continue
        rivals = [row for name, row in rows.items() if name not in OURS and _is_rival(row)]
        best = max(rivals, key=lambda row: (_share(row, "pa"), _share(row, "ca")), default=None)
        cells = [setting.name[0], setting.name[2], *_numbers(plain, "ca", "asr")]
        cells += _numbers(rows.get("frs-transplant"), "ca", "asr")
        cells += _numbers(own, "ca", "asr", "asr_floor", "localization_recall", "false_flag_rate")
        cells += ["–" if best is None else f"{best.name} ({len(rivals)})", *_numbers(best, "ca", "asr", "pa")]
        lines.append("| " + " | ".join([*cells, *_numbers(own, "pa")]) + " |")
    return "\n".join(lines)


def _is_rival(row: Measured) -> bool:
    return row.label.row == row.name and row.row.guarantee == "empirical" and row.name != "undefended"


def _share(row: Measured, name: str) -> float:
    share = getattr(row.row, name)
    return -1.0 if share is None else float(share.mean)


def _numbers(row: Measured | None, *names: str) -> list[str]:
    shares = [None if row is None else getattr(row.row, name) for name in names]
    return ["–" if one is None else f"{100 * one.mean:.1f}" for one in shares]


def _percent(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return "–"
    sd = row[f"{name}_sd"]
    return f"{100 * row[name]:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


def collect_certification(run: Path, target: Path) -> None:
    """Table, summary and curves of certified accuracy."""
    target.mkdir(parents=True, exist_ok=True)
    build_certification(run)
    kept = ("certified.md", "certified.jsonl", "settings.json", "summary.json")
    for file in (*(run / name for name in kept), *run.glob("certified-*.png")):
        shutil.copy(file, target / file.name)


def collect_search(run: Path, target: Path) -> None:
    """Table, plots and points of one search-depth experiment."""
    target.mkdir(exist_ok=True)
    for file in (*build_recall(run), run / "localization.jsonl"):
        shutil.copy(file, target / file.name)


def noise_table(runs: list[dict[str, Any]]) -> str:
    """The benchmark of parameter noise, one row per arithmetic."""
    lines = [
        "| arithmetic | threads | noise-free pass | exact noise | written into the weights "
        "| speedup (range) | overhead |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for run in runs:
        speedup, overhead = run["weight_noise_speedup"], run["weight_noise_overhead"]
        lines.append(
            f"| {run['precision']} | {run['threads']} "
            f"| {run['seconds_plain']:.2f} s | {run['seconds_exact']:.2f} s "
            f"| {run['seconds_materialized']:.1f} s | {speedup['median']:.1f}x "
            f"({min(speedup['all']):.1f}-{max(speedup['all']):.1f}) | {overhead['median']:.1f}x |"
        )
    return "\n".join(lines)


def fill(readme: Path, blocks: dict[str, str]) -> None:
    """Replace what stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``."""
    text = readme.read_text("utf-8")
    for name, content in blocks.items():
        pattern = rf"(<!-- results:{name} -->\n).*?(<!-- /results:{name} -->)"
        text = re.sub(
            pattern, lambda found, new=content: found[1] + new.strip() + "\n" + found[2], text, flags=re.S
        )
    write_atomic(readme, text)


def main() -> None:
    """Collect every run that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path)
    runs = parser.parse_args().runs
    for name in RUNS:
        if (runs / name / "settings.json").is_file():
            collect_run(runs / name, HERE / name)
    for name in SEARCHES:
        if (runs / name / "localization.jsonl").is_file():
            collect_search(runs / name, HERE / name)
    for run in sorted(runs.glob("certificates-*")):
        if (run / "certified.jsonl").is_file():
            collect_certification(run, HERE / "certificates" / run.name.removeprefix("certificates-"))
    if (runs / GRID / "grid.json").is_file():
        collect_grid(runs / GRID, HERE / GRID)
    blocks = {"headline": headline()}
    if (HERE / GRID / "short.md").is_file():
        blocks[GRID] = (HERE / GRID / "short.md").read_text("utf-8")
    for kind in ("table.md", "localization.md"):
        for path in sorted(HERE.glob(f"*/{kind}")):
            blocks[path.parent.name] = path.read_text("utf-8")
    noise = [json.loads(path.read_text("utf-8")) for path in sorted((HERE / "weight-noise").glob("*.json"))]
    if noise:
        blocks["weight-noise"] = noise_table(noise)
    for readme in (HERE / "README.md", HERE.parent / "README.md"):
        fill(readme, blocks)


if __name__ == "__main__":
    main()
