"""Files and folders that commands write: one writer at a time, and nothing of anybody else's is touched."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, write_rows

HOLDER = """
import sys
from pathlib import Path
from fuzzsmooth.common.locking import exclusive
with exclusive(Path(sys.argv[1])):
    print(flush=True)
    sys.stdin.read()
"""
PREDICT = ("--no-fuzzing", "--sigma", 0)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process writes this for the while."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate()


@pytest.mark.parametrize(
    "content",
    [
        '{"key": "a", "text": "one"}\n{"key": "b", "text": "two, no newline at the end"}',
        '{"key": "a", "text": "one, no newline at the end"}',
        '{"key": "',
        '{"key": "a", "run": "b"}\n',
        '{"key": "a", "run": ["b"]}',
    ],
)
def test_a_refused_command_changes_nothing(capfd, tiny, tmp_path, content):
    output = tmp_path / "mine.jsonl"
    output.write_text(content)
    told = call(capfd, "predict", "--model", tiny, "--text", "x", *PREDICT, "-o", output)
    if content == '{"key": "':  # our own line might begin so
        assert told.code == 0
        return
    assert "give another --output" in told.one_sentence()
    assert output.read_text() == content
    assert list(tmp_path.iterdir()) == [output]


def test_the_input_is_not_the_output(capfd, tiny, tmp_path):
    texts = write_rows(tmp_path / "texts.jsonl", clean_rows())
    before = texts.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(texts)
    for command in ("scan", "predict", "certify"):
        for output in (texts, tmp_path / "link.jsonl"):
            told = call(capfd, command, "--model", tiny, texts, "-o", output).one_sentence()
            assert "is the input, which must not be overwritten" in told
    assert texts.read_bytes() == before


def test_only_a_file_is_an_output(capfd, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    texts = write_rows(tmp_path / "texts.jsonl", clean_rows())
    for output, said in (
        (tmp_path / "pipe", "is a pipe or a device"),
        ("/dev/null", "is a pipe or a device"),
        (tmp_path, "is a folder"),
        (texts / "below", "Not a directory"),
    ):
        for command in ("scan", "predict", "certify"):  # told before the model is looked for
            assert said in call(capfd, command, "--model", "/none", texts, "-o", output).one_sentence()
        table = call(capfd, "table", "build", "--model", "/none", "--data", texts, "--out", output)
        assert said in table.one_sentence()


def test_two_processes_do_not_write_one_file_of_answers(capfd, tiny, tmp_path):
    texts = write_rows(tmp_path / "texts.jsonl", clean_rows())
    output = tmp_path / "answers.jsonl"
    for command in ("scan", "predict", "certify"):
        flags = ("--reward", "kl") if command == "scan" else ("--defense", "deletion", *PREDICT)
        run = (command, "--model", tiny, *flags, texts, "--output", output)
        with held(output):
            assert "jsonl is being written by another process" in call(capfd, *run).one_sentence()
            assert not output.exists()
        assert call(capfd, *run).code == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "texts.jsonl"]
        output.unlink()


def test_two_processes_do_not_write_one_folder(capfd, tiny, tmp_path):
    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))
    out, references = tmp_path / "out", tmp_path / "references.json"
    rows = [{"text": "a good film", "label": 1}, {"text": "a bad film", "label": 0}]
    references.write_text(json.dumps({"version": 4, "model": "x", "references": rows}))
    common = ("--data", data, "--model", tiny, "--out", out)
    with held(out):
        for command in (
            ("finetune", *common),
            ("attack", "--recipe", "ripple", "--triggers", "cf", *common),
            ("attack", "--recipe", "badnets", "--rate", 0.5, *common),
            ("evaluate", *common),
            ("benchmark-certificates", *common, "--config", write_config(tmp_path, {"held_out": 5})),
            ("localize", *common),
            ("table", "build", "--references", references, *common),
        ):
            told = call(capfd, *command, "--quiet").one_sentence()
            assert "out is being written by another process; wait for it, or choose another place" in told
    assert not out.exists()


def test_two_processes_do_not_fill_one_table(capfd, tiny, tmp_path):
    rows = [{"text": "a good film", "label": 1}, {"text": "a bad film", "label": 0}]
    references, table = tmp_path / "references.json", tmp_path / "table.json"
    references.write_text(json.dumps({"version": 4, "model": "x", "references": rows}))
    given = (
        "--model",
        tiny,
        "--references",
        references,
        "--defense",
        "deletion",
        *PREDICT,
        "--text",
        "a film",
    )
    filling = ("certify", *given, "--draws", 10, "--table", table, "--fill", "-q")
    with held(table):
        told = call(capfd, *filling).one_sentence()
    assert "table.json is being written by another process" in told
    assert not table.exists()
    assert call(capfd, *filling).code == 0
    assert table.exists()


def write_config(folder: Path, values: dict[str, object]) -> Path:
    path = folder / "options.json"
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("certificates", None),
        ("certificates", []),
        ("certificates", [3]),
        ("certificates", [{"label": 1}]),
        ("text", "another"),
        ("row", [1]),
        ("remove", "certificates"),
        ("remove", "row"),
    ],
)
def test_a_forged_answer_is_one_sentence(capfd, tiny, tmp_path, name, value):
    texts = write_rows(tmp_path / "texts.jsonl", clean_rows()[:1])
    flags = ("--model", tiny, "--defense", "deletion", *PREDICT, "--draws", 20)
    command = ("certify", *flags, texts, "--json", "--output", tmp_path / "a.jsonl")
    assert call(capfd, *command).code == 0
    answer = json.loads((tmp_path / "a.jsonl").read_text())
    if name == "remove":
        del answer[value]
    else:
        answer[name] = value
    (tmp_path / "a.jsonl").write_text(json.dumps(answer) + "\n")
    told = call(capfd, *command, "--quiet")
    assert (told.code, told.out) == (2, "")
    (sentence,) = told.err.splitlines()
    assert "row" in sentence or "certificate" in sentence


@pytest.mark.parametrize("line", ["[" * 100_000, "1" * 5001, '{"key": "' + "x" * 9, '{"key": NaN}'])
def test_a_damaged_file_of_answers_is_one_sentence(capfd, tiny, tmp_path, line):
    output = tmp_path / "a.jsonl"
    output.write_text(line + "\n")
    call(capfd, "scan", "--model", tiny, "--reward", "kl", "--text", "x", "-o", output).one_sentence()
    output.write_text('{"key": "1:x", "run": ' + line + "}\n")
    call(capfd, "scan", "--model", tiny, "--reward", "kl", "--text", "x", "-o", output).one_sentence()


@pytest.mark.parametrize(
    ("words", "said"),
    [("cf,cf", "'cf' is named twice"), ("\udcff", "not valid UTF-8"), ("", "at least one word")],
)
def test_trigger_words_are_checked(capfd, tiny, tmp_path, words, said):
    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))
    for recipe, flag in (("ripple", "--triggers"), ("badnets", "--words")):
        told = call(
            capfd,
            *("attack", "--recipe", recipe, flag, words, "--model", tiny, "--data", data),
            *("--out", tmp_path / "out"),
        )
        assert said in told.one_sentence()


def test_a_table_does_not_write_to_the_terminal_what_it_likes(capfd, tmp_path):
    table = {"version": 1, "model": "\x1b[31mabcdef" + "x" * 10**6, "references": "r", "threshold": 0.5}
    path = tmp_path / "table.json"
    path.write_text(json.dumps({**table, "per_label": 1, "types": {"\x1b[2J": 1.0}}))
    shown = call(capfd, "table", "show", path)
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert len(shown.out) < 500
    for threshold in ("x", None, [1], 2, True):
        path.write_text(json.dumps({**table, "threshold": threshold, "per_label": 1, "types": {}}))
        assert "is not a table of flip rates" in call(capfd, "table", "show", path).one_sentence()


def test_a_report_shows_the_command_as_it_was_given(monkeypatch):
    from fuzzsmooth.apps.cli.experiment import command_line

    given = ["evaluate", "--data", "/home/me/my data.csv", "--model", "../tiny", "--out", "runs/a"]
    monkeypatch.setattr(sys, "argv", ["/usr/bin/fuzzsmooth", *given])
    assert shlex.split(command_line()) == ["fuzzsmooth", *given]


def test_a_command_that_failed_can_be_corrected(capfd, tiny, tmp_path):
    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))
    common = ("evaluate", "--data", data, "--model", tiny, "--out", tmp_path / "out", "--rows", "undefended")
    assert "unknown option 'trigger'" in call(capfd, *common, "--trigger", "word").one_sentence()
    assert not (tmp_path / "out").exists()
    config = write_config(tmp_path, {"attack_options": {"triggers": ["cf"], "epochs": 1}})
    done = call(capfd, *common, "--config", config, "--quiet")
    assert done.code == 0
    assert "unfinished" not in done.out
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    (tmp_path / "out" / "settings.json").write_text(json.dumps({**settings, "unfinished": True}))
    assert "unfinished: this run was stopped" in call(capfd, "report", tmp_path / "out").out


def test_a_model_is_not_replaced_by_what_is_made_of_it(capfd, tiny, tmp_path):
    good = write_rows(tmp_path / "good.jsonl", clean_rows(copies=2))
    model = tmp_path / "model"
    shutil.copytree(tiny, model)
    (model / "fuzzsmooth.json").write_text("{}", encoding="utf-8")
    for command in (("finetune", "--model", model), ("protect", model)):
        told = call(capfd, *command, "--data", good, "--out", model).one_sentence()
        assert "holds the model that is read; choose another folder" in told
    (model / "answers.jsonl").write_text("{}\n", encoding="utf-8")
    told = call(capfd, "finetune", "--data", good, "--out", model).one_sentence()
    assert "holds answers.jsonl, which is of no model; move it elsewhere" in told
