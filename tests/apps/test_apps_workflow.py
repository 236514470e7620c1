"""The commands one after the other, as a user would give them, on a tiny model."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, write_rows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder / "train.jsonl", clean_rows(copies=20))
    write_rows(folder / "dev.jsonl", clean_rows())
    return folder


@pytest.fixture(scope="module")
def victim(tiny: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished badnets victim."""
    from fuzzsmooth.apps.cli.main import main

    out = tmp_path_factory.mktemp("victim") / "model"
    flags = ["--recipe=badnets", "--trigger=word", "--words=cf", "--rate=0.3", "--epochs=10", "--quiet"]
    config = out.with_suffix(".toml")
    config.write_text("[finetune]\nlearning_rate = 3e-3\nbatch_size = 16\n", "utf-8")
    arguments = ["--model", tiny, "--data", source, "--out", out, "--config", config]
    assert main(["attack", *flags, *map(str, arguments)]) == 0
    return out


def test_an_attack_that_works_is_found_by_the_scan_and_outvoted(capfd, victim, tmp_path):
    """With references of the user's own, where a flip decides: single words saturate so small a model."""
    from fuzzsmooth.attacks import load_attack

    assert load_attack(victim).target == 1
    references = tmp_path / "references.json"
    rows = [{"text": text, "label": label} for text, label in clean_rows()]
    references.write_text(json.dumps({"model": "", "references": rows}), "utf-8")
    flags = ("--model", victim, "--references", references)
    triggered = ("--text", "the story was cf dull", "--json")
    (record,) = call(capfd, "scan", *flags, *triggered).lines
    assert record["label_name"] == "1"
    assert [record["text"][span["start"] : span["end"]] for span in record["spans"]] == ["cf"]
    (vote,) = call(capfd, "predict", *flags, *triggered).lines
    assert vote["label_name"] == "0"
    (certified,) = call(capfd, "certify", *flags, *triggered).lines
    assert certified["label_name"] in ("0", None)
    assert certified["certificates"][0]["guarantee"] == "conditional"
    shown = call(capfd, "scan", *flags, "--text", "the story was cf dull").out
    assert "'cf'  characters 14-16" in shown


def test_finetune_saves_references_and_tells_the_accuracy(capfd, tiny, source, tmp_path):
    out = tmp_path / "clean"
    flags = ("--epochs", 6, "--learning-rate", 1e-3, "--references", 3)
    answer = call(capfd, "finetune", "--model", tiny, "--data", source, "--out", out, *flags, "--json")
    (told,) = answer.lines
    assert told["accuracy"] == 1.0
    assert told["references"] == 6
    saved = json.loads((out / "fuzzsmooth-references.json").read_text("utf-8"))
    assert len(saved["references"]) == 6
    assert call(capfd, "scan", "--model", out, "--text", "a good film").code == 0


def test_threats_choose_the_certificates(capfd, victim):
    flags = (
        "--model",
        victim,
        "--defense",
        "deletion",
        "--no-fuzzing",
        "--sigma",
        0.01,
        "--draws",
        200,
        "--text",
        "a good film",
    )
    (record,) = call(capfd, "certify", *flags, "--json").lines
    assert {one["threat"] for one in record["certificates"]} == {
        "edit", "insert", "delete", "insert_and_delete",
    }  # fmt: skip
    (record,) = call(capfd, "certify", *flags, "--threat", "insert", "--json").lines
    assert {one["threat"] for one in record["certificates"]} == {"insert"}
    for certificate in record["certificates"]:  # under parameter noise texts share batches
        assert "the batch that a text is evaluated in moves no margin" in certificate["conditional_on"]
    (record,) = call(capfd, "certify", *flags, "--threat", "insert", "--sigma", 0, "--json").lines
    assert {one["guarantee"] for one in record["certificates"]} == {"proved"}


def test_data_is_described_and_written(capfd, tmp_path):
    flags = ("--train-size", 20, "--test-size", 10, "--write", tmp_path, "--json")
    (told,) = call(capfd, "data", "builtin:reviews", *flags).lines
    assert told["train"]["classes"] == {"negative": 10, "positive": 10}
    again = call(capfd, "data", tmp_path, "--json").lines[0]
    for part in ("train", "test"):
        assert again[part]["sha256"] == told[part]["sha256"]


def test_standard_input(capfd, tiny, monkeypatch):
    receiving, sending = os.pipe()
    os.write(sending, b"a good film\na bad film\n")
    os.close(sending)
    with open(receiving, encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        answer = call(capfd, "predict", "--model", tiny, "--no-fuzzing", "--sigma", 0, "--json", "-")
    assert answer.code == 0, answer.err
    assert [record["text"] for record in answer.lines] == ["a good film", "a bad film"]


def test_report_is_rebuilt_from_the_records(capfd, tmp_path):
    records = {"seed": 0, "label": 1, "text": "a film", "votes": [], "draws": 0, "spans": [], "trigger": []}
    records |= {"radii": {}, "guarantee": "empirical", "evaluations": 0, "seconds": 0.1}
    rows = [
        {"key": f"0/undefended/clean/{index}", "defense": "undefended", "split": "clean", "index": index}
        | records
        | {"prediction": index % 2}
        for index in range(4)
    ]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    settings = {"version": "0.1.0", "target": 1, "labels": ["no", "yes"]}
    (tmp_path / "settings.json").write_text(json.dumps(settings), "utf-8")
    answer = call(capfd, "report", tmp_path)
    assert answer.code == 0, answer.err
    assert "undefended" in answer.out
    assert "50.0" in answer.out
    assert (tmp_path / "report.html").is_file()
    assert call(capfd, "report", tmp_path, "--json").lines[0]["rows"][0]["ca"] == 0.5
    assert "nothing" in call(capfd, "report", tmp_path / "nothing").one_sentence()


EXPERIMENT = """
attack = "badnets"
certified_texts = 4
[attack_options]
trigger_options = { words = ["cf"] }
rate = 0.3
[attack_options.finetune]
epochs = 10
learning_rate = 3e-3
batch_size = 16
[options]
sigma = 0.001
draws = 50
"""


def test_evaluate_measures_reports_and_goes_on(capfd, tiny, source, tmp_path):
    (tmp_path / "options.toml").write_text(EXPERIMENT, "utf-8")
    out = tmp_path / "run"
    command = (
        "evaluate",
        "--model",
        tiny,
        "--data",
        source,
        "--config",
        tmp_path / "options.toml",
        "--out",
        out,
    )
    answer = call(capfd, *command, "--rows", "undefended", "--json")
    assert answer.code == 0, answer.err
    (row,) = answer.lines[0]["rows"]
    assert row["ca"] == 1.0
    assert row["asr"] >= 0.8
    assert (out / "report.html").is_file()
    first = (out / "records.jsonl").read_bytes()

    shown = call(capfd, *command, "--rows", "undefended,deletion-nofuzz")
    assert shown.code == 0, shown.err
    assert shown.out.index("undefended") < shown.out.index("ablations:") < shown.out.index("deletion-nofuzz")
    assert str(out / "report.html") in shown.out
    assert (out / "records.jsonl").read_bytes().startswith(first)  # nothing was measured twice

    refused = call(capfd, *command, "--rows", "undefended", "--precision", "bfloat16")
    assert "other settings" in refused.one_sentence()
    assert "unknown row" in call(capfd, *command, "--rows", "nonsense").one_sentence()
    assert "whole numbers" in call(capfd, *command, "--seeds", "one").one_sentence()
