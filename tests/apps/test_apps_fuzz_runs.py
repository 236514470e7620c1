"""Run folders, damaged at random: a report or a sentence, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apps_command_line import answer_or_refusal
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.bench.certified_records import CertifiedRecord
from fuzzsmooth.bench.marking import claim
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.points import LocalizationPoint
from fuzzsmooth.bench.records import Span, TextRecord
from fuzzsmooth.report import build_certification, build_report
from fuzzsmooth.report.recall import build_recall
from hostile_inputs import damaged, hostile
from hostile_runs import saved


def record(defense: str, split: str, **values: Any) -> dict[str, Any]:
    trigger = ((0, 2),) if split == "triggered" else ()
    facts = {"seed": 0, "index": 0, "text": "cf a film", "label": 0, "prediction": 1, "seconds": 0.5}
    return TextRecord(**(facts | {"defense": defense, "split": split, "trigger": trigger} | values)).to_json()


SCANNED: dict[str, Any] = {"votes": (1, 19), "draws": 20, "spans": (Span(0, 2, 0.9),), "evaluations": 9}
RECORDS = [
    record("undefended", "clean"),
    record("undefended", "triggered"),
    record("frs", "clean", guarantee="conditional", radii={"conditional-trigger": 1}, **SCANNED),
    record("frs", "triggered", **SCANNED),
    record("certified", "clean", guarantee="proved", radii={"edit": 2, "backward": 1}, prediction=0),
]
SETTINGS: dict[str, Any] = {
    "version": "1",
    "target": 1,
    "labels": ["negative", "positive"],
    "seeds": [0],
    "dataset": {"name": "reviews", "train": 10, "test": 1},
    "attack": {"attack": "ripple", "options": {"words": ["cf"]}},
    "model": {"name": "tiny"},
    "options": {"rows": ["undefended", "frs"], "longest": 2, "alpha": 0.001, "draws": 100, "seed": 0},
    "versions": {"torch": "2"},
    "command": "fuzzsmooth evaluate",
    "quoted": [{"source": "s", "what": "w", "value": "1"}],
    "unfinished": True,
}


def lines(values: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


@hostile("records")
@given(damaged(*RECORDS))
def test_records(content: bytes) -> None:
    def read(path: Path) -> None:
        path.with_name("settings.json").write_text(json.dumps(SETTINGS))
        build_report(path.parent)

    saved("records.jsonl", read)(content)


@hostile("settings of a run")
@given(damaged(SETTINGS))
def test_settings_of_a_run(content: bytes) -> None:
    def read(path: Path) -> None:
        path.with_name("records.jsonl").write_bytes(lines(RECORDS))
        answer_or_refusal("report", path.parent)

    saved("settings.json", read)(content)


CERTIFIED = [
    CertifiedRecord(
        row=row,
        index=index,
        label=index,
        prediction=1,
        length=3,
        radii={"edit": 1, "insert": 2},
        draws=100,
        passes=60,
        counts=(10, 90),
        p_lower=0.8,
        seconds=0.25,
    ).to_json()
    for row in ("rs-del:0.9", "deletion:0.9")
    for index in range(2)
]


@hostile("certified runs")
@given(damaged(*CERTIFIED), damaged(SETTINGS), st.booleans())
def test_certified_runs(records: bytes, settings: bytes, which: bool) -> None:
    def read(path: Path) -> None:
        path.with_name("settings.json").write_bytes(json.dumps(SETTINGS).encode() if which else settings)
        before = {entry.name for entry in path.parent.parent.iterdir()}
        build_certification(path.parent)
        assert {entry.name for entry in path.parent.parent.iterdir()} == before

    saved("certified.jsonl", read)(records if which else lines(CERTIFIED))


POINTS = [
    {"key": f"pair/{strategy}/8"}
    | LocalizationPoint(
        trigger="pair",
        strategy=strategy,
        budget=8,
        recall=0.5,
        low=0.4,
        high=0.6,
        triggered=10,
        false_flags=0.1,
        clean=10,
        extra_characters=1.5,
        evaluations=7.5,
        evaluations_clean=8.0,
        seconds=0.5,
    ).__dict__
    for strategy in ("tree", "random")
]


@hostile("points")
@given(damaged(*POINTS))
def test_points(content: bytes) -> None:
    saved("localization.jsonl", lambda path: build_recall(path.parent))(content)


FACTS = ExperimentOptions().to_mapping() | {"train_sha256": "ab"}


@hostile("marks")
@given(damaged({"version": 2, "options": json.loads(json.dumps(FACTS))}))
def test_marks(content: bytes) -> None:
    def read(path: Path) -> None:
        (path.parent / "records.jsonl").write_bytes(b"")
        claim(path.parent, FACTS, ExperimentOptions().to_mapping())

    saved("experiment.json", read)(content)
