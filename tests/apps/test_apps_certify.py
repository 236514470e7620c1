"""``fuzzsmooth certify`` in its modes, and ``fuzzsmooth table``, on tiny models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from apps_command_line import BAD, GOOD, WORDS, call, clean_rows, write_rows

CERTIFIED = ("--defense", "deletion", "--no-fuzzing", "--sigma", 0)
TEXTS = [
    ("a good film", "LABEL_1"),
    ("the story was dull and awful food it is a film", "LABEL_0"),
    ("a", "LABEL_1"),
]


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("labeled") / "texts.jsonl", [*TEXTS])


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished badnets victim with the trigger cf, and its references."""
    from fuzzsmooth.apps.cli.main import main

    folder = tmp_path_factory.mktemp("victim")
    write_rows(folder / "train.jsonl", clean_rows(copies=40))
    write_rows(folder / "dev.jsonl", clean_rows())
    config = folder / "attack.toml"
    config.write_text("[finetune]\nlearning_rate = 1e-3\nbatch_size = 16\n", "utf-8")
    flags = ["--recipe=badnets", "--trigger=word", "--words=cf", "--rate=0.3", "--epochs=12", "--quiet"]
    out = folder / "model"
    arguments = ["--model", tiny, "--data", folder, "--out", out, "--config", config]
    assert main(["attack", *flags, *map(str, arguments)]) == 0
    return out


def clean(trained: Path) -> tuple[object, ...]:
    return ("--model", trained, "--clean", trained.parent)


@pytest.mark.parametrize(
    ("flags", "statistics"),
    [
        ((*CERTIFIED, "--draws", 64), {"exact", "stratified-sequential", "sequential"}),
        ((*CERTIFIED, "--statistics", "sequential", "--draws", 64), {"sequential"}),
        ((*CERTIFIED, "--statistics", "fixed", "--draws", 64), {"fixed"}),
        (("--defense", "windows", "--no-fuzzing", "--reach", 2), {"ablation"}),
        (("--defense", "windows", "--no-fuzzing", "--ablation", "detect"), {"ablation"}),
        (("--no-fuzzing", "--copies", 30, "--sigma", 0), {"fixed"}),
    ],
)
def test_every_mode_is_a_job_that_resumes_and_says_what_it_means(
    capfd, tiny, labeled, tmp_path, flags, statistics
):
    output = tmp_path / "out.jsonl"
    command = ("certify", "--model", tiny, labeled, *flags, "--output", output)
    told = call(capfd, *command, "--json")
    assert told.code == 0
    *records, last = told.lines
    assert len(records) == 3
    assert {record["statistics"] for record in records} <= statistics
    assert all(one["statement"].endswith(".") for record in records for one in record["certificates"])
    statements = last["dataset"]
    assert statements
    for one in statements:
        assert one["texts"] == 3
        assert one["labels_known"]
        alphas = [
            row["alpha"]
            for record in records
            for row in record["certificates"]
            if (row["threat"], row["direction"]) == (one["threat"], one["direction"])
        ]
        assert one["expected_wrong"] == pytest.approx(sum(alphas))
        correct = [
            record
            for record, (_, label) in zip(records, TEXTS, strict=True)
            for row in record["certificates"]
            if (row["threat"], row["direction"]) == (one["threat"], one["direction"])
            if row["label_name"] == label and row["radius"] >= one["size"]
        ]
        assert one["counted"] == len(correct)
    whole = output.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (len(lines[0]), len(lines[0]) + len(lines[1]) // 2):
        output.write_bytes(whole[:cut])
        again = call(capfd, *command)
        assert again.code == 0
        assert "answered already" in again.err
        assert output.read_bytes() == whole
        assert "3 answers in" in again.out
        assert "of 3 texts" in again.out


def test_labels_that_are_not_the_models_are_no_obstacle(capfd, tiny, tmp_path):
    texts = write_rows(tmp_path / "texts.jsonl", [("a good film", "pos"), ("a bad film", "neg")])
    answer = call(capfd, "certify", "--model", tiny, *CERTIFIED, "--draws", 20, texts)
    assert answer.code == 0
    assert "correctness is not counted" in answer.err
    assert "of 2 texts" in answer.out
    assert "correct" not in answer.out
    alone = call(capfd, "certify", "--model", tiny, *CERTIFIED, "--draws", 20, "--text", "a film")
    assert "texts (" not in alone.out, "one text is no data set"


def test_threats_of_every_mode_can_be_chosen(capfd, tiny):
    base = ("certify", "--model", tiny, "--text", "a good film", "--json")
    windows = ("--defense", "windows", "--no-fuzzing", "--ablation", "edit", "--reach", 1)
    (record,) = call(capfd, *base, *windows).lines
    assert {one["threat"] for one in record["certificates"]} == {"contiguous_edit", "contiguous_insert"}
    (record,) = call(capfd, *base, *windows, "--threat", "contiguous_insert").lines
    assert {one["threat"] for one in record["certificates"]} == {"contiguous_insert"}
    noisy = (
        "--defense",
        "deletion",
        "--no-fuzzing",
        "--draws",
        30,
        "--sigma",
        0.01,
        "--top-layers",
        1,
        "--weight-distance",
        0.2,
    )
    (record,) = call(capfd, *base, *noisy, "--threat", "weights").lines
    (weights,) = record["certificates"]
    assert weights["guarantee"] == "conditional"
    assert "provided that the clean weights differ" in weights["statement"]
    told = call(capfd, *base, *windows, "--threat", "weights").one_sentence()
    assert "defense 'windows' certifies contiguous_edit and contiguous_insert here" in told
    assert "set sigma above 0" in call(capfd, *base, *noisy, "--sigma", 0).one_sentence()
    (record,) = call(capfd, *base, "--reward", "kl", "--budget", 10, "--localization-recall", 0.9).lines
    assert "was marked in 90 %" in record["certificates"][0]["conditional_on"]


def test_predict_in_mode_windows_may_alert(capfd, tiny):
    flags = ("--defense", "windows", "--no-fuzzing", "--ablation", "detect", "--reach", 2)
    texts = [part for text in (*GOOD, *BAD) for part in ("--text", text)]
    answer = call(capfd, "predict", "--model", tiny, *flags, *texts, "--json")
    for record in answer.lines:
        assert (record["label"] is None) == (record["status"] == "alert")
    assert call(capfd, "predict", "--model", tiny, *flags, *texts).code == 0
    budget = ("--passes", 1, "--text", "a good film")
    (record,) = call(capfd, "certify", "--model", tiny, *flags, *budget, "--json").lines
    assert (record["status"], record["label"]) == ("budget_exceeded", None)
    assert "BUDGET EXCEEDED" in call(capfd, "certify", "--model", tiny, *flags, *budget).out


def test_a_table_is_built_shown_and_used(capfd, trained, tmp_path):
    path, words = tmp_path / "table.json", tmp_path / "words.txt"
    words.write_text("\n".join([*WORDS[:6], "", "cf", "cf"]) + "\n", "utf-8")
    answer = call(capfd, "table", "build", *clean(trained), "--words", words, "--out", path, "--json")
    (told,) = answer.lines
    assert "cf" in told["flagged"]
    assert told["tested"] == told["types"] == len({*WORDS[:6], "cf"})
    more = call(
        capfd,
        "table",
        "build",
        *clean(trained),
        "--data",
        trained.parent / "dev.jsonl",
        "--out",
        path,
        "--most",
        5,
    )
    assert more.code == 0
    assert "flagged: cf" in more.out
    (shown,) = call(capfd, "table", "show", path, "--json", "--top", 2).lines
    assert {"cf"} <= set(shown["flagged"]) < set(WORDS)
    assert shown["top"][0]["type"] in shown["flagged"]
    (every,) = call(capfd, "table", "show", path, "--json").lines
    for row in every["top"]:
        flagged = row["type"] in shown["flagged"]
        assert flagged == (row["flip_rate"] >= every["threshold"])
        assert row["rate"] == (0.97 if flagged else 0.7)
    assert f"{len(shown['flagged'])} flagged" in call(capfd, "table", "show", path).out

    flags = (*CERTIFIED, "--draws", 200, "--text", "the story was cf dull", "--json")
    (record,) = call(capfd, "certify", *clean(trained), *flags, "--table", path).lines
    assert {"", "cf"} <= set(record["costs"])
    threats = [one["threat"] for one in record["certificates"]]
    assert threats[:5] == ["edit", "insert", "weighted_insert", "weighted_insert", "insert"]
    assert threats[5:] == ["weighted_edit", "delete"]
    assert call(
        capfd, "certify", *clean(trained), *CERTIFIED, "--draws", 50, "--text", "cf", "--table", path
    ).out


def test_a_table_is_filled_while_certifying_and_does_not_change_answers(capfd, trained, tmp_path):
    texts = write_rows(tmp_path / "texts.jsonl", [(f"{text} cf", 0) for text in (*GOOD, *BAD)])
    flags = (*clean(trained), *CERTIFIED, "--draws", 40, texts)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    table = tmp_path / "table.json"
    command = ("certify", *flags, "--table", table, "--fill", "--output")
    assert call(capfd, *command, first).code == 0
    known = json.loads(table.read_text("utf-8"))["types"]
    assert {"cf", *(word for text in (*GOOD, *BAD) for word in text.split())} == set(known)
    content = table.read_bytes()
    assert call(capfd, *command, second).code == 0
    assert first.read_bytes() == second.read_bytes(), "from an empty table and from a full one"
    assert table.read_bytes() == content
    stopped = first.read_bytes()
    first.write_bytes(stopped[: len(stopped) // 2])
    assert call(capfd, *command, first).code == 0
    assert first.read_bytes() == stopped, "a grown table continues the file"
    frozen = call(capfd, "certify", *flags, "--table", table, "--output", first)
    assert "other options" in frozen.one_sentence()


def test_bad_tables_are_one_sentence(capfd, tiny, trained, tmp_path):
    path = tmp_path / "table.json"
    build = ("table", "build", "--out", path)
    assert "give --data, --words or --audit" in call(capfd, *build, *clean(trained)).one_sentence()
    words = tmp_path / "words.txt"
    assert "words.txt" in call(capfd, *build, *clean(trained), "--words", words).one_sentence()
    words.write_text("cf\n", "utf-8")
    assert (
        "needs clean reference texts" in call(capfd, *build, "--model", tiny, "--words", words).one_sentence()
    )
    text = ("--text", "a film")
    absent = call(capfd, "certify", *clean(trained), *CERTIFIED, *text, "--table", path).one_sentence()
    assert "build it with 'fuzzsmooth table build'" in absent
    path.write_text("{}", "utf-8")
    assert "not a table of flip rates" in call(capfd, "table", "show", path).one_sentence()
    assert (
        "not a table of flip rates" in call(capfd, *build, *clean(trained), "--words", words).one_sentence()
    )
    path.unlink()
    assert call(capfd, *build, *clean(trained), "--words", words).code == 0
    wrong = call(capfd, "certify", *clean(trained), "--defense", "frs", *text, "--sigma", 0, "--table", path)
    assert "for defense 'deletion'" in wrong.one_sentence()


def test_the_guard_band_is_measured_unless_it_is_given(capfd, tiny, monkeypatch):
    """Answers that rounding could turn around count for nobody: all of them, for a band this wide."""
    from fuzzsmooth.engine import recheck

    base = ("certify", "--model", tiny, *CERTIFIED, "--draws", 40, "--text", "a good film", "--json")
    base = (*base, "--precision", "bfloat16", "--no-recheck")
    (plain,) = call(capfd, *base, "--guard", 0).lines
    (measured,) = call(capfd, *base).lines
    assert sum(measured["votes"]) <= sum(plain["votes"])
    (wide,) = call(capfd, *base, "--guard", 1e6).lines
    assert (wide["label"], sum(wide["votes"])) == (None, 0)
    monkeypatch.setattr(recheck, "measure_rounding_band", lambda *_, **__: 1e6)
    (forced,) = call(capfd, *base).lines
    assert forced["votes"] == wide["votes"]
    assert call(capfd, *base, "--guard", 0).lines[0]["votes"] == plain["votes"]


def test_answers_told_how_rounding_was_dealt_with(capfd, tiny):
    base = ("certify", "--model", tiny, *CERTIFIED, "--draws", 40, "--text", "a good film", "--json")
    found = {}
    for flags in ((), ("--precision", "bfloat16"), ("--precision", "bfloat16", "--no-recheck")):
        (record,) = call(capfd, *base, *flags).lines
        found[flags] = {json.dumps(one["rounding"]) for one in record["certificates"]}
    exact, rechecked, lost = (json.loads(own) for (own,) in found.values())
    assert (exact["precision"], exact["undecided"]) == ("float32", "counted against")
    assert (rechecked["precision"], rechecked["undecided"]) == ("bfloat16", "rechecked")
    assert (lost["precision"], lost["undecided"]) == ("bfloat16", "counted against")
    assert exact["guard"] == rechecked["recheck_guard"] < rechecked["guard"] == lost["guard"]
    (given,) = call(capfd, *base, "--guard", 0).lines
    assert given["certificates"][0]["rounding"]["guard"] == 0
