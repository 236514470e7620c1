"""Answers kept in a file: killed at any moment, the same command goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from apps_command_line import call, spawn, write_rows

FLAGS = ("--mode", "certified", "--no-fuzzing", "--draws", 1000, "--sigma", 0.01, "--top-layers", 1)


def rows(count: int = 24) -> list[tuple[str, object]]:
    return [
        (f"a {'good' if index % 2 else 'bad'} film {'of food ' * index}", index % 2) for index in range(count)
    ]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("texts") / "texts.jsonl", rows())


def killed_when(process: subprocess.Popen[str], output: Path, size: int, kind: signal.Signals) -> bool:
    """Send a signal once the file is larger than ``size``; False if the command was through before."""
    while process.poll() is None:
        if output.exists() and output.stat().st_size > size:
            process.send_signal(kind)
            return True
        time.sleep(0.002)
    return False


def test_a_killed_command_goes_on_as_if_nothing_had_happened(capfd, tiny, texts, tmp_path):
    undisturbed, output = tmp_path / "undisturbed.jsonl", tmp_path / "answers.jsonl"
    command = ("certify", "--model", tiny, *FLAGS, texts, "--output")
    assert call(capfd, *command, undisturbed).code == 0
    whole = undisturbed.read_bytes()
    assert whole.count(b"\n") == 24

    moment = random.Random(time.time_ns())  # another moment at every run of the test
    process = spawn(*command, output)
    assert killed_when(process, output, moment.randrange(len(whole) // 3), signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    partial = output.read_bytes()
    assert 0 < len(partial) < len(whole)
    assert whole.startswith(partial)

    for _ in range(5):  # on a busy machine the command may be through before the signal arrives
        output.write_bytes(partial)
        process = spawn(*command, output)
        later = len(partial) + moment.randrange((len(whole) - len(partial)) // 3)
        assert killed_when(process, output, later, signal.SIGINT)
        _, err = process.communicate()
        if process.returncode:
            break
    assert process.returncode == 130
    assert err.splitlines()[-1] == "fuzzsmooth: stopped; run the same command to go on"

    answer = call(capfd, *command, output)
    assert answer.code == 0
    assert "answered already" in answer.err
    assert output.read_bytes() == whole


def test_a_torn_line_is_computed_again(capfd, tiny, tmp_path):
    output = tmp_path / "answers.jsonl"
    few = write_rows(tmp_path / "few.jsonl", rows(6))
    command = ("certify", "--model", tiny, *FLAGS, few, "--output", output)
    assert call(capfd, *command).code == 0
    whole = output.read_bytes()
    for cut in (5, len(whole) // 2, len(whole) - 1):
        output.write_bytes(whole[:cut])
        assert call(capfd, *command).code == 0
        assert output.read_bytes() == whole


def test_a_finished_file_is_only_read(capfd, tiny, texts, tmp_path):
    output = tmp_path / "answers.jsonl"
    command = ("scan", "--model", tiny, "--reward", "kl", texts, "--output", output, "--json")
    first = call(capfd, *command)
    changed = output.stat().st_mtime_ns
    again = call(capfd, *command)
    assert first.lines == again.lines
    assert [record["row"] for record in again.lines] == list(range(1, 25))
    assert output.stat().st_mtime_ns == changed


@pytest.mark.parametrize("command", ["scan", "predict", "certify"])
def test_answers_do_not_depend_on_the_file_or_on_their_neighbors(capfd, tiny, tmp_path, command):
    flags = ("--model", tiny, "--reward", "kl", "--budget", 20)
    some = rows(5)
    forward = write_rows(tmp_path / "forward.jsonl", some)
    alone = [
        record for text, _ in some for record in call(capfd, command, *flags, "--text", text, "--json").lines
    ]
    together = call(capfd, command, *flags, forward, "--json").lines
    kept = call(capfd, command, *flags, forward, "--output", tmp_path / "o.jsonl", "--json").lines
    if command == "certify":  # a statement about the whole input follows the answers
        assert together.pop().keys() == kept.pop().keys() == {"dataset"}
    differing = ("key", "row", "run")
    for one, two, three in zip(alone, together, kept, strict=True):
        plain = [
            {name: value for name, value in r.items() if name not in differing} for r in (one, two, three)
        ]
        assert plain[0] == plain[1] == plain[2]


def test_other_options_do_not_continue_a_file(capfd, tiny, texts, tmp_path):
    output = tmp_path / "answers.jsonl"
    command = ("scan", "--model", tiny, "--reward", "kl", texts, "--output", output)
    assert call(capfd, *command).code == 0
    kept = output.read_bytes()
    assert "other options" in call(capfd, *command, "--seed", 1).one_sentence()
    assert output.read_bytes() == kept


def test_another_input_does_not_continue_a_file(capfd, tiny, texts, tmp_path):
    output = tmp_path / "answers.jsonl"
    command = ("scan", "--model", tiny, "--reward", "kl", "--output", output)
    assert call(capfd, *command, texts).code == 0
    other = write_rows(tmp_path / "other.jsonl", [("it is another text", 0), *rows()[1:]])
    assert "row 1" in call(capfd, *command, other).one_sentence()


def test_more_rows_continue_a_file(capfd, tiny, tmp_path):
    output = tmp_path / "answers.jsonl"
    command = ("scan", "--model", tiny, "--reward", "kl", "--output", output)
    assert call(capfd, *command, write_rows(tmp_path / "texts.jsonl", rows(3))).code == 0
    assert call(capfd, *command, write_rows(tmp_path / "texts.jsonl", rows(5))).code == 0
    found = [json.loads(line)["row"] for line in output.read_text("utf-8").split("\n") if line]
    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("content", ["text,label\na film,1", '{"text": "a film"}\n', "x", '{"key": 3}\n'])
def test_a_foreign_file_is_never_touched(capfd, tiny, texts, tmp_path, content):
    output = tmp_path / "precious.txt"
    output.write_text(content, "utf-8")
    call(capfd, "scan", "--model", tiny, "--reward", "kl", texts, "--output", output).one_sentence()
    assert output.read_text("utf-8") == content
