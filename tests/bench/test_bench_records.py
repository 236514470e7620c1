from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fuzzsmooth.bench.records import RunSettings, Span, TextRecord, read_records
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger

FULL = TextRecord(
    seed=3,
    defense="frs transplant",
    split="triggered",
    index=7,
    text="a cf film\u2028两行\u0085👍",
    label=0,
    prediction=None,
    votes=(9, 11),
    draws=20,
    spans=(Span(2, 4, 0.97), Span(5, 9, 0.1)),
    trigger=((2, 4),),
    radii={"conditional_edit": 3},
    guarantee="conditional",
    evaluations=64,
    seconds=0.25,
)
CLEAN = TextRecord(seed=0, defense="undefended", split="clean", index=0, text="", label=1, prediction=1)


def changed(**values: object) -> dict[str, object]:
    return FULL.to_json() | values


@pytest.mark.parametrize("record", [FULL, CLEAN])
def test_round_trip_through_json_text(record: TextRecord) -> None:
    assert TextRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_key_addresses_the_record() -> None:
    assert FULL.key == "3/frs transplant/triggered/7"
    assert next(iter(FULL.to_json())) == "key"


def test_ledger_file_reads_back_with_line_separators_inside_a_text(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    Ledger(path).append([FULL.to_json(), CLEAN.to_json()])
    assert read_records(path) == [FULL, CLEAN]
    assert len(Ledger(path)) == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (changed(colour=1), "unknown field colour"),
        ({name: item for name, item in FULL.to_json().items() if name != "votes"}, "missing field votes"),
        (changed(key="3/other/triggered/7"), "the key is"),
        (changed(label="0"), "expected a"),
        (changed(label=True), "expected a"),
        (changed(votes=3), "expected a"),
        (changed(radii=[1]), "expected a"),
        (changed(radii={"conditional_edit": 1.5}), "expected a"),
        (changed(trigger=[[1, 2, 3]]), "expected a start and an end"),
        (changed(spans=[{"start": 0, "end": 1, "score": 1, "color": 2}]), "unknown field color"),
        (changed(spans=[{"start": 5, "end": 99, "score": 1}]), "ranges within"),
        (changed(spans=[{"start": 5, "end": 5, "score": 1}]), "ranges within"),
        (changed(spans=[{"start": 5, "end": 6, "score": float("nan")}]), "must be finite"),
        (changed(seconds=-1), "seconds"),
        (changed(votes=[-1, 2]), "cannot be negative"),
        (changed(prediction=-1), "cannot be negative"),
        (changed(guarantee="certain"), "guarantee must be one of"),
        (changed(split="dev", key="3/frs transplant/dev/7"), "split must be"),
        (changed(split="clean", key="3/frs transplant/clean/7"), "no trigger"),
        (changed(radii={"edit": 1}), "counts as proved"),
    ],
)
def test_bad_records_are_refused_in_one_sentence(value: dict[str, object], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        TextRecord.from_json(value)


def test_a_conditional_radius_can_never_pass_as_proved() -> None:
    with pytest.raises(FuzzsmoothError, match="conditional"):
        TextRecord(**(FULL.__dict__ | {"radii": {"conditional_edit": 2, "insert": 2}}))
    TextRecord(**(FULL.__dict__ | {"radii": {"insert": 2}, "guarantee": "proved"}))


def test_unreadable_files_name_the_record(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with pytest.raises(FuzzsmoothError, match="cannot read"):
        read_records(path)
    path.write_text("\n")
    with pytest.raises(FuzzsmoothError, match="no records"):
        read_records(path)
    line = json.dumps(CLEAN.to_json())
    path.write_text(f"{line}\n{line[:40]}\n")
    with pytest.raises(FuzzsmoothError, match="line 2 is not JSON"):
        read_records(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(FuzzsmoothError, match="not UTF-8"):
        read_records(path)


def test_records_written_twice_count_once_unless_they_contradict_each_other(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    other = {**CLEAN.to_json(), "seconds": 9.5}
    lines = [json.dumps(value) for value in (CLEAN.to_json(), FULL.to_json(), other)]
    path.write_text("\n".join(lines) + "\n" + lines[1][:50])
    assert read_records(path) == [replace(CLEAN, seconds=9.5), FULL]
    path.write_text(f"{lines[0]}\n" + json.dumps({**other, "prediction": 1 - (CLEAN.prediction or 0)}) + "\n")
    with pytest.raises(FuzzsmoothError, match=r"record 2: the key .* twice, with different answers; delete"):
        read_records(path)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "version"),
        ({"version": "1", "labels": ["one"], "target": 0}, "labels"),
        ({"version": "1", "labels": ["a", "b"], "target": 2}, "target"),
        ({"version": "1", "labels": ["a", "b"], "target": True}, "target"),
        ({"version": "1", "labels": ["a", "b"], "target": 0, "model": "x"}, "model"),
        ({"version": "1", "labels": ["a", "b"], "target": 0, "seeds": 3}, "seeds"),
        ({"version": "1", "labels": ["a", "b"], "target": 0, "quoted": [{"source": "s"}]}, "quoted"),
    ],
)
def test_settings_are_checked(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        RunSettings(mapping)


def test_settings_keep_what_they_do_not_know(tmp_path: Path) -> None:
    value = {"version": "1", "labels": ["a", "b"], "target": 1, "note": "kept"}
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(value))
    settings = RunSettings.read(path)
    assert settings.mapping == value
    assert (settings.target, settings.labels, settings.section("model")) == (1, ("a", "b"), {})
    path.write_text("[1]")
    with pytest.raises(FuzzsmoothError, match="JSON object"):
        RunSettings.read(path)


def test_records_metrics_and_report_import_no_torch() -> None:
    code = "import sys, fuzzsmooth.bench, fuzzsmooth.report; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}
        ).returncode
        == 0
    )
