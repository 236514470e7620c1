"""The table of a zoo: a row for each detector and family, from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.bench.grid.store import cell_folder, read_cell
from fuzzsmooth.bench.records import RECORDS_FILE, TRIGGERED
from fuzzsmooth.bench.zoo.auditing import read_records
from fuzzsmooth.bench.zoo.scores import auc_interval, rate_at, roc_auc, share
from fuzzsmooth.common.files import Ledger
from fuzzsmooth.common.options import require

ALL = "all"
COLUMNS = (
    "detector",
    "family",
    "clean",
    "backdoored",
    "AUC",
    "AUC low",
    "AUC high",
    "TPR at 5 % FPR",
    "clean flagged",
    "backdoored flagged",
    "target found",
    "trigger exact",
    "trigger overlap",
    "moves unseen",
    "planted ASR",
    "passes",
    "backward",
    "seconds",
)
_MEND = "run 'fuzzsmooth zoo audit' first"


def zoo_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of the table, detector by detector, all families first.

    Args:
        folder: The folder of the zoo.

    Raises:
        FuzzsmoothError: If nothing was audited.
    """
    records = list(read_records(folder))
    require(bool(records), f"{folder} holds no audits; {_MEND}")
    success = {one["model"]: attack_success(folder, one["model"]) for one in records if not one["clean"]}
    rows = []
    for detector in dict.fromkeys(one["detector"] for one in records):
        own = [one for one in records if one["detector"] == detector]
        clean = [one for one in own if one["clean"]]
        families = sorted({one["family"] for one in own if not one["clean"]})
        for family in (ALL, *families):
            planted = [one for one in own if not one["clean"] and family in (ALL, one["family"])]
            if clean and planted:
                # A model of some data is held against the clean ones of all data, as an auditor has one bar.
                rows.append(_row(detector, family, clean, planted, success))
    return rows


def _row(
    detector: str,
    family: str,
    clean: Sequence[dict[str, Any]],
    planted: Sequence[dict[str, Any]],
    success: dict[str, float | None],
) -> dict[str, Any]:
    bad = np.array([float(one["score"]) for one in planted])
    good = np.array([float(one["score"]) for one in clean])
    low, high = auc_interval(bad, good)
    costs = [*planted, *clean] if family == ALL else planted
    return {
        "detector": detector,
        "family": family,
        "clean": len(clean),
        "backdoored": len(planted),
        "AUC": roc_auc(bad, good),
        "AUC low": low,
        "AUC high": high,
        "TPR at 5 % FPR": rate_at(bad, good),
        "clean flagged": _count(one["flagged"] for one in clean),
        "backdoored flagged": _count(one["flagged"] for one in planted),
        "target found": share([one["target_right"] for one in planted if one["target_right"] is not None]),
        "trigger exact": share([one["exact"] for one in planted if "exact" in one]),
        "trigger overlap": _mean(one["overlap"] for one in planted if "overlap" in one),
        "moves unseen": _mean(one["moved"] for one in planted if "moved" in one),
        "planted ASR": _mean(value for one in planted if (value := success.get(one["model"])) is not None),
        "passes": _mean(one["passes"] for one in costs),
        "backward": _mean(one["backward"] for one in costs),
        "seconds": _mean(one["seconds"] for one in costs),
    }


def attack_success(folder: Path, address: str) -> float | None:
    """Share of triggered texts that get the target in a model of the zoo; None where that was not measured.

    Where any wrong label will do, the share that is wrong.
    """
    place = cell_folder(folder, address)
    target = read_cell(place).get("target")
    if not (place / RECORDS_FILE).is_file():
        return None
    hits = [
        record["prediction"] == target if target is not None else record["prediction"] != record["label"]
        for record in Ledger(place / RECORDS_FILE).stream()
        if record["split"] == TRIGGERED
    ]
    return share(hits)


def _count(values: Iterable[bool | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return float(np.mean(known)) if known else None


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table for people."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS)]
    lines += [tuple(_shown(name, row[name]) for name in COLUMNS) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def csv(rows: Sequence[dict[str, Any]]) -> str:
    """The table with every number by itself."""
    lines = [",".join(COLUMNS)]
    lines += [",".join("" if row[name] is None else str(row[name]) for name in COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int):
        return str(value)
    if name in ("passes", "backward"):
        return f"{value:,.0f}"
    return f"{value:.1f}" if name == "seconds" else f"{value:.3f}"
