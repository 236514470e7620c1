"""The certified-accuracy experiment end to end on a tiny model: same texts, no work twice, honest tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fuzzsmooth.bench.certification import CertificationOptions, run_certification
from fuzzsmooth.bench.certification_rows import certification_row
from fuzzsmooth.bench.certified_records import (
    CERTIFIED_RECORDS,
    CertifiedRecord,
    Paired,
    compare,
    read_certified,
    summarize_certified,
)
from fuzzsmooth.certify import LengthRates, length_radius
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger
from fuzzsmooth.models import build_tiny
from fuzzsmooth.report import build_certification, certified_markdown
from fuzzsmooth.report.certification import opponent
from fuzzsmooth.training import FinetuneOptions
from table_classifier import TableClassifier

GOOD, BAD, FILLER = ["fine", "great", "warm"], ["dull", "awful", "cold"], ["the", "film", "is", "a", "plot"]
ROWS = (
    "rs-del:0.5",
    "deletion-trained:0.5",
    "ranmask:0.5",
    "deletion:0.5",
    "windows-plain",
    "windows",
    "scattered",
)
TRAINING = {"epochs": 2, "learning_rate": 3e-3, "batch_size": 16, "precision": "float32"}


def write(path: Path, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(size):
        label = int(rng.integers(2))
        words = [*rng.choice(FILLER, size=rng.integers(1, 6)), *rng.choice((BAD, GOOD)[label], size=2)]
        lines.append(json.dumps({"text": " ".join(rng.permutation(words)), "label": label}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> CertificationOptions:
    folder = tmp_path_factory.mktemp("certification")
    model = build_tiny("bert", folder / "tiny", vocabulary=GOOD + BAD + FILLER)
    (folder / "data").mkdir()
    write(folder / "data" / "train.jsonl", 160, 0)
    write(folder / "data" / "dev.jsonl", 12, 1)
    return CertificationOptions.from_mapping(
        {
            "data": str(folder / "data"),
            "model": str(model),
            "rows": ROWS,
            "finetune": TRAINING,
            "deletion": {**TRAINING, "text_noise": "delete", "text_rate": 0.5, "copies": 2},
            "masking": {**TRAINING, "text_noise": "mask", "text_rate": 0.5, "copies": 2},
            "windows": {**TRAINING, "text_noise": "windows", "window": 2, "candidates": 2},
            "held_out": 40,
            "draws": 100,
            "longest": 2,
            "precision": "float32",
        }
    )


@pytest.fixture(scope="module")
def run(options: CertificationOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    run_certification(options, out, command="fuzzsmooth benchmark-certificates")
    return out


def test_every_row_answers_every_text(run: Path) -> None:
    records = read_certified(run / CERTIFIED_RECORDS)
    assert [(record.row, record.index) for record in records] == [(row, i) for row in ROWS for i in range(12)]
    assert len({(record.index, record.label, record.length) for record in records}) == 12
    by_row = {row: [record for record in records if record.row == row] for row in ROWS}
    for row, found in by_row.items():
        if row != "ranmask:0.5":  # what a tiny model has learned of masks is not much
            assert np.mean([record.correct for record in found]) > 0.7, row
        assert all(record.passes > 0 for record in found)
    assert {threat for record in by_row["ranmask:0.5"] for threat in record.radii} == {"substitute"}
    assert {threat for record in by_row["windows"] for threat in record.radii} == {"contiguous_insert"}
    threats = {"rs-del:0.5": {"edit", "insert", "backward"}}
    threats["deletion:0.5"] = threats["rs-del:0.5"] | {"delete"}
    for row, known in threats.items():
        assert {threat for record in by_row[row] for threat in record.radii} == known
    assert {tuple(record.radii) for record in by_row["scattered"]} <= {("edit", "insert"), ()}
    assert {(record.guarantee, record.guard) for record in records} == {("proved", 0.0)}
    assert all(record.passes <= record.draws for record in by_row["deletion:0.5"])
    models = {path.name for path in (run / "models").iterdir()}
    assert models == {
        "plain",
        "ranmask-0.5",
        "deletion-trained-0.5",
        "deletion-0.5",
        "windows-trained",
        "windows",
    }
    offsets = json.loads((run / "models" / "windows" / "offsets.json").read_text("utf-8"))
    assert offsets["with"]["certified"] >= offsets["without"]["certified"]
    assert offsets["with"]["accuracy"] >= offsets["without"]["accuracy"] - 0.01 - 1e-9


def test_rows_that_share_a_model_differ_by_their_statistics_alone(run: Path) -> None:
    """Texts of at most 6 words are enumerated; the others draw from the same addresses as RS-Del."""
    records = read_certified(run / CERTIFIED_RECORDS)
    theirs, ours = ([one for one in records if one.row == row] for row in ROWS[:2])
    gains = []
    for fixed, auto in zip(theirs, ours, strict=True):
        assert fixed.draws == 100
        assert auto.draws <= 100
        assert fixed.p_lower is not None
        assert auto.p_lower is not None
        if auto.prediction == fixed.prediction:
            gains.append(auto.p_lower - fixed.p_lower)
        if auto.length <= 6:
            assert auto.draws == 2**auto.length
    assert np.mean(gains) > 0.02


def test_a_run_that_lost_its_end_computes_only_that_again(
    run: Path, options: CertificationOptions, tmp_path: Path
) -> None:
    whole = Ledger(run / CERTIFIED_RECORDS).records()
    copy = tmp_path / "out"
    (copy / "models").mkdir(parents=True)
    for name in ("experiment.json",):
        (copy / name).write_bytes((run / name).read_bytes())
    (copy / "models").rmdir()
    (copy / "models").symlink_to(run / "models")
    kept = (run / CERTIFIED_RECORDS).read_bytes().split(b"\n")[:20]
    (copy / CERTIFIED_RECORDS).write_bytes(b"\n".join(kept) + b'\n{"key": "torn')
    run_certification(options, copy)
    again = Ledger(copy / CERTIFIED_RECORDS).records()
    timeless = [{**record, "seconds": 0} for record in whole]
    assert [{**record, "seconds": 0} for record in again] == timeless
    assert again[:20] == whole[:20]  # these were not measured anew: even their times are the same


def test_another_experiment_is_not_mixed_in(run: Path, options: CertificationOptions) -> None:
    with pytest.raises(FuzzsmoothError, match="other settings or data"):
        run_certification(options.replace(draws=101), run)


def test_the_report_is_of_the_records_alone(run: Path) -> None:
    page = build_certification(run)
    first = {path.name: path.read_bytes() for path in run.glob("certified*")}
    assert {"certified.md", "certified-edit.png", "certified-contiguous_insert.png"} <= set(first)
    text = page.read_text("utf-8")
    assert all(f"`{row}`" in text for row in ROWS)
    assert "fuzzsmooth benchmark-certificates" in text
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    assert [row["defense"] for row in summary["rows"]] == list(ROWS)
    (run / "summary.json").unlink()
    build_certification(run)
    assert {path.name: path.read_bytes() for path in run.glob("certified*")} == first


def record(row: str, index: int, label: int, prediction: int, **radii: int) -> CertifiedRecord:
    return CertifiedRecord(
        row=row, index=index, label=label, prediction=prediction, length=3, radii=radii, draws=10, passes=4
    )


def test_wrong_answers_are_never_certified_and_stay_in_the_denominator() -> None:
    rows = summarize_certified(
        [
            record("a", 0, 1, 1, edit=2),
            record("a", 1, 1, 0, edit=9),
            record("a", 2, 0, 0, edit=0),
            record("a", 3, 0, 0),
            record("b", 0, 1, 1, substitute=1),
        ]
    )
    assert rows[0].accuracy == 3
    assert rows[0].certified["edit"].counts == (2, 1, 1)
    assert rows[0].certified["edit"].total == 4
    assert rows[0].certified_by_class["edit"][1].counts == (1, 1, 1)
    assert rows[0].certified_by_class["edit"][1].total == 2
    lines = certified_markdown(rows).splitlines()
    cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    edits = ["25.0% (25.0%)", "25.0% (25.0%)", "0.0% (0.0%)"]
    assert cells[:9] == ["`a`", "4", "75.0%", *edits, "-", "-", "-"]
    masks = ["100.0% (100.0%)", "0.0% (0.0%)", "0.0% (0.0%)"]
    assert [cell.strip() for cell in lines[3].split("|")[4:10]] == ["-", "-", "-", *masks]


def test_a_row_that_answers_one_class_has_half_of_balanced_certified_accuracy() -> None:
    """Three texts of class 1 and one of class 0, all answered 1 and certified."""
    (row,) = summarize_certified([record("a", i, label, 1, edit=3) for i, label in enumerate((1, 1, 1, 0))])
    assert [row.balanced("edit", size) for size in (0, 3, 4)] == [0.5, 0.5, 0.0]
    assert row.to_json()["certified_balanced"] == {"edit": [0.5] * 4}
    assert "75.0% (50.0%)" in certified_markdown([row])


def test_rows_are_compared_text_by_text() -> None:
    """Rows a and b over six texts; c says nothing about edits; the sign test by hand: 2 * (1/2)**3 = .25."""
    reaches = {"a": (2, 2, 2, 0, 0, 1), "b": (0, 0, 1, 0, 0, 1)}
    records = [record(row, i, 1, 1, edit=reach) for row in reaches for i, reach in enumerate(reaches[row])]
    records += [record("c", i, 1, 1, substitute=1) for i in range(6)]
    found = compare(records, "a", "b", "edit", 2)
    assert found == Paired(gained=3, lost=0)
    assert found.p_value == pytest.approx(0.25)
    assert compare(records, "b", "a", "edit", 2) == Paired(gained=0, lost=3)
    assert compare(records, "a", "b", "edit", 0) == Paired(0, 0)
    assert Paired(0, 0).p_value == 1.0
    assert compare(records, "a", "c", "edit", 1) is None


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ("rs-del:0.9", None),
        ("deletion:0.9", "rs-del:0.9"),
        ("deletion:0.8", "rs-del:0.7"),
        ("scattered", "rs-del:0.7"),
        ("windows", "windows-plain"),
        ("windows-plain", None),
    ],
)
def test_rows_are_held_against_their_like(row: str, other: str | None) -> None:
    rows = [
        "rs-del:0.7",
        "rs-del:0.9",
        "deletion:0.9",
        "deletion:0.8",
        "scattered",
        "windows",
        "windows-plain",
    ]
    assert opponent(row, rows) == other


def test_the_page_tells_classes_apart(run: Path) -> None:
    page = build_certification(run).read_text("utf-8")
    by_class = page.split("## By class")[1]
    labels = [one.label for one in read_certified(run / CERTIFIED_RECORDS) if one.row == "windows"]
    more = max(labels.count(0), labels.count(1))
    assert f'certified" on {more / 12:.1%}' in by_class
    for label in (0, 1):
        assert f"| `windows` | {label} | {labels.count(label)} |" in by_class
    assert "| `deletion:0.5` | `rs-del:0.5` |" in page.split("## Text by text")[1]


def test_records_survive_json_and_refuse_what_is_wrong() -> None:
    one = record("a", 3, 1, 1, edit=2)
    value = json.loads(json.dumps(one.to_json()))
    assert CertifiedRecord.from_json(value, "here") == one
    for wrong in ({"index": 4}, {"extra": 1}, {"radii": [1]}, {"counts": None}):
        with pytest.raises(FuzzsmoothError, match="here"):
            CertifiedRecord.from_json({**value, **wrong}, "here")


def test_a_folder_without_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="does not exist"):
        read_certified(tmp_path / CERTIFIED_RECORDS)
    with pytest.raises(
        FuzzsmoothError,
        match=r"cannot read .*settings\.json.*; give the folder of a run of benchmark-certificates",
    ):
        build_certification(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": ["nothing"]},
        {"rows": ["rs-del"]},
        {"rows": ["rs-del:much"]},
        {"rows": ["ranmask:1.5"]},
        {"rows": ["deletion-kept:0"]},
        {"rows": ["deletion-kept:many"]},
        {"rows": []},
        {"draws": 1},
        {"longest": 0},
        {"held_out": 0},
        {"tolerance": -0.1},
        {"alpha": 1.0},
        {"finetune": {"text_noise": "delete", "text_rate": 0.5}},
        {"windows": {"epochs": 1}},
        {"masking": {"text_noise": "delete", "text_rate": 0.5}},
    ],
)
def test_options_that_make_no_experiment_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(FuzzsmoothError):
        CertificationOptions.from_mapping(wrong)


def test_rates_by_length_are_those_of_training_and_certificate(options: CertificationOptions) -> None:
    row = certification_row("deletion-kept:2", options.shared)
    step = row.bases[-1].step
    assert [base.name for base in row.bases] == ["plain", "deletion-kept-2"]
    assert isinstance(step, FinetuneOptions)
    assert (step.text_noise, step.text_kept, step.text_rate) == ("delete", 2.0, 0.95)
    table = TableClassifier({}, (0.0, 1.0))
    answer = row.build(table)("a good film of the year")  # type: ignore[arg-type]
    assert answer.label == 1
    assert answer.radii["edit"] == length_radius(1.0, LengthRates.keeping(2.0, 0.8, 0.95), 6, "edit")


def test_too_few_texts_to_hold_any_out(options: CertificationOptions, tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="too few to hold out"):
        run_certification(options.replace(train_size=60), tmp_path / "out")


def test_answers_near_that_to_the_empty_text_vote_for_no_class(options: CertificationOptions) -> None:
    certain, nothing = np.array([0.001, 0.999]), np.array([0.48, 0.52])
    table = TableClassifier({"good": certain}, nothing)
    kept = certification_row("deletion-kept-unsure:2", options.shared)
    assert [base.name for base in kept.bases] == ["plain", "deletion-kept-2"]
    assert kept.build(table)("bad one").p_lower == pytest.approx(0.5)  # type: ignore[arg-type]
    row = certification_row("deletion-unsure:0.5", options.shared)
    assert [base.name for base in row.bases] == ["plain", "deletion-trained-0.5"]
    told = row.build(table)("good")  # type: ignore[arg-type]
    assert told.label == 1
    assert told.p_lower == pytest.approx(0.75)  # half of the deletions are empty, and half of these its
    assert row.build(table)("bad").p_lower == pytest.approx(0.5)  # type: ignore[arg-type]
    leaning = certification_row("deletion-trained:0.5", options.shared).build(table)  # type: ignore[arg-type]
    assert leaning("bad").p_lower == pytest.approx(1.0)
