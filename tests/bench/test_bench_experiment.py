"""An experiment from attack to report on a tiny model: what its finished run holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from experiment_runs import DELETED, LABELS, NOISY, ROWS, settings, without_times

from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.bench.measure import EvaluatedText, text_record
from fuzzsmooth.bench.oracle import OracleFrs
from fuzzsmooth.bench.records import RECORDS_FILE, SETTINGS_FILE, RunSettings, TextRecord, read_records
from fuzzsmooth.bench.rows import bench_row, row_names
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.defenses import REFERENCES_FILE, FittedDefense
from fuzzsmooth.models import load_classifier
from fuzzsmooth.report import build_report
from fuzzsmooth.search import References


def test_every_text_of_every_row_is_recorded(finished: Path) -> None:
    records = read_records(finished / RECORDS_FILE)
    target = RunSettings.read(finished / SETTINGS_FILE).target
    test = [record for record in records if (record.defense, record.split) == ("undefended", "clean")]
    assert [record.index for record in test] == list(range(10))
    for row in ROWS:
        count = 4 if row == "deletion" else 10
        of_row = [record for record in records if record.defense == row]
        clean = [record for record in of_row if record.split == "clean"]
        triggered = [record for record in of_row if record.split == "triggered"]
        chosen = [record.index for record in clean]
        assert len(chosen) == count
        shares = [
            sum(one.label == label for one in some) / len(some) for some in (test, clean) for label in (0, 1)
        ]
        assert max(abs(shares[0] - shares[2]), abs(shares[1] - shares[3])) < 1 / count, (
            "of each class its share"
        )
        wanted = [record.index for record in test if record.index in chosen and record.label != target]
        assert [record.index for record in triggered] == wanted, "texts of the target class need no trigger"
        assert all(record.label != target for record in triggered)


def test_triggers_are_where_the_records_say(finished: Path) -> None:
    for record in read_records(finished / RECORDS_FILE):
        assert [record.text[start:end] for start, end in record.trigger] == ["cf"] * (
            record.split == "triggered"
        )


def test_rows_differ_in_what_they_record(finished: Path) -> None:
    records = read_records(finished / RECORDS_FILE)
    by_row = {row: [record for record in records if record.defense == row] for row in ROWS}
    assert all(
        (r.draws, r.votes, r.evaluations, r.guarantee) == (0, (), 0, "empirical")
        for r in by_row["undefended"]
    )
    for record in by_row["frs-transplant"]:
        assert 2 <= record.draws == sum(record.votes) <= 6, "a vote stops once it is settled"
        assert record.prediction == int(np.argmax(record.votes))
        assert record.guarantee == "conditional"
        assert 0 < record.evaluations <= 16
        assert set(record.radii) <= {"conditional-trigger"}
    for record in by_row["deletion"]:
        assert 0 < record.draws <= 30
        assert (record.guarantee, record.evaluations, record.spans) == ("proved", 0, ())
        assert set(record.radii) in ({"edit", "insert", "backward", "delete"}, set())
        assert (record.prediction is None) == (not record.radii)


def test_the_backdoor_works_on_the_undefended_victim(finished: Path) -> None:
    records = read_records(finished / RECORDS_FILE)
    triggered = [r for r in records if (r.defense, r.split) == ("undefended", "triggered")]
    assert len(triggered) >= 3
    assert sum(record.prediction == 1 for record in triggered) > len(triggered) / 2


def test_settings_name_everything_but_no_local_place(finished: Path, place: Path) -> None:
    content = (finished / SETTINGS_FILE).read_text("utf-8")
    assert "private-place" not in content
    assert str(finished) not in content
    told = json.loads(content)
    assert told["model"]["name"] == told["attack"]["model"] == told["options"]["model"] == "tiny"
    assert told["dataset"]["name"] == told["options"]["data"] == "data"
    assert {len(told["model"][f"seed 0, {kind}"]) for kind in ("plain", NOISY, DELETED)} == {64}
    assert told["attack"]["attack"] == "badnets"
    assert told["dataset"]["train"] == 300
    assert told["dataset"]["test"] == 10
    assert told["command"] == "fuzzsmooth evaluate"
    assert told["seeds"] == [0]
    assert set(told["versions"]) == {"fuzzsmooth", "torch", "transformers", "numpy"}
    assert told["options"]["options"]["search"]["budget"] == 16


def test_the_report_can_be_built(folder: Path) -> None:
    page = build_report(folder)
    assert page.read_text("utf-8").count("frs-transplant") >= 1
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert [row["defense"] for row in summary["rows"]] == list(ROWS)


def references_of(run: Path, kind: str) -> References:
    (file,) = (run / "seed0" / "references").glob(f"{kind}-*/{REFERENCES_FILE}")
    return References.load(file)


def test_victims_have_their_references(finished: Path) -> None:
    assert not list((finished / "seed0" / "references").glob("plain-*")), "nothing searches for it"
    for kind in (NOISY, DELETED):
        victim, references = finished / "seed0" / kind, references_of(finished, kind)
        classifier = load_classifier(str(victim), labels=LABELS, precision="float32", max_length=128)
        assert references.model == classifier.fingerprint
        assert sorted(references.labels) == [0, 0, 1, 1]
        predicted = classifier.probabilities(references.texts).argmax(axis=1)
        assert predicted.tolist() == list(references.labels)


def test_rows_do_not_depend_on_which_others_are_run(finished: Path, place: Path, tmp_path: Path) -> None:
    alone = run_experiment(settings(place, rows=("deletion",)), tmp_path / "alone")
    expected = [row for row in without_times(finished) if row["defense"] == "deletion"]
    assert without_times(alone) == expected


def test_every_row_gives_what_records_take(finished: Path) -> None:
    victim = finished / "seed0" / NOISY
    classifier = load_classifier(str(victim), labels=LABELS, precision="float32")
    references = references_of(finished, NOISY)
    text = EvaluatedText("clean", 3, "a good film", 1)
    shared = {"copies": 4, "draws": 10}
    for name in [*row_names(), "budget-7"]:
        row = bench_row(name, shared)
        if issubclass(row.defense, FittedDefense) or row.defense.needs.demonstrations:
            continue  # it answers only once it has learned something, or protects a prompt
        defended = row.defense(classifier, row.options, references)
        if isinstance(defended, OracleFrs):
            defended.tell([text])
        (answer,) = defended.certify([text.text])
        one = text_record(0, name, defended, text, answer, 0.5)
        assert TextRecord.from_json(json.loads(json.dumps(one))).to_json() == one
        noisy = name == "deletion-noise" or row.defense.guarantee != "proved"
        assert (one["guarantee"] == "proved") == (not noisy)


def test_a_clean_model_is_measured_without_an_attack(place: Path, tmp_path: Path) -> None:
    clean = settings(place, attack="none", attack_options={}, rows=("undefended",))
    out = run_experiment(clean, tmp_path / "out")
    records = read_records(out / RECORDS_FILE)
    assert {record.split for record in records} == {"clean"}
    assert len(records) == 10
    assert json.loads((out / SETTINGS_FILE).read_text("utf-8"))["attack"]["attack"] == "none"
    build_report(out)
    (row,) = json.loads((out / "summary.json").read_text("utf-8"))["rows"]
    assert row["ca"] is not None
    assert row["asr"] is None
    assert not (out / "seed0" / "attacked").exists()


def test_another_data_set_may_be_tested_on(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "private-other"
    shutil.copytree(place / "data", other)
    dev = other / "dev.jsonl"
    rows = [json.loads(line) for line in dev.read_text("utf-8").splitlines()]
    swapped = [{**row, "text": f"we saw {row['text']}"} for row in rows]
    write_atomic(dev, "".join(json.dumps(row) + "\n" for row in swapped))
    options = settings(place, attack="none", attack_options={}, rows=("undefended",), test_data=str(other))
    out = run_experiment(options, tmp_path / "out")
    records = read_records(out / RECORDS_FILE)
    assert all(record.text.startswith("we saw ") for record in records)
    assert "private-other" not in json.dumps(json.loads((out / SETTINGS_FILE).read_text())["dataset"])
    assert str(tmp_path) not in (out / SETTINGS_FILE).read_text("utf-8")


def test_radii_of_other_threats_have_names_of_their_own() -> None:
    """A received text may hold a piece, or scattered words: certificates of the one are none of the other."""
    from fuzzsmooth.bench.measure import radii_by_threat
    from fuzzsmooth.defenses import DEFENSES
    from fuzzsmooth.models.stubs import AdditiveClassifier

    model = AdditiveClassifier({"good": 2.0, "bad": -2.0}, labels=("negative", "positive"))
    text = "good good good good good good"

    def radii(ablation: str) -> dict[str, int]:
        kind = DEFENSES.get("windows")
        options = {"reach": 1, "ablation": ablation, "fuzzing": False}
        (answer,) = kind(model, kind.options_type.from_mapping(options)).certify([text])  # type: ignore[arg-type]
        return radii_by_threat(answer.certificates)

    edits = radii("edit")
    assert edits["contiguous_edit"] >= 1
    assert not any(name.endswith("backward") for name in edits), "that is of scattered insertions"
    assert any("backward-contiguous" in name for name in edits)
    assert radii("detect") == {}, "a label or an alarm is not the label"
