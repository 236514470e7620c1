"""Answers kept in a file: killed at any moment, the same command goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, spawn, write_rows

# Ctrl-C raises KeyboardInterrupt wherever the program happens to be. Here a timer does, after some more of
# the process's own time: no load of the machine makes it late, and it works where SIGINT is ignored. In a
# process of its own, as the exception may also hit what runs beside the program, such as coverage.
STOPPED_AFTER = """
import signal, sys
from fuzzsmooth.apps.cli.main import main
from fuzzsmooth.common.files import Ledger
append, delay = Ledger.append, float(sys.argv.pop(1))
def append_then_stop(ledger, records):
    append(ledger, records)
    if signal.getitimer(signal.ITIMER_PROF)[0] == 0:
        signal.setitimer(signal.ITIMER_PROF, delay)
Ledger.append = append_then_stop
signal.signal(signal.SIGPROF, signal.default_int_handler)
sys.exit(main())
"""

FLAGS = ("--defense", "deletion", "--no-fuzzing", "--sigma", 0.01, "--top-layers", 1)


def rows(count: int = 24) -> list[tuple[str, object]]:
    return [
        (f"a {'good' if index % 2 else 'bad'} film {'of food ' * index}", index % 2) for index in range(count)
    ]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("texts") / "texts.jsonl", rows())


def kill_seed() -> int:
    """Another moment at every run of a test, told so that FUZZSMOOTH_KILL_SEED can bring it back."""
    seed = int(os.environ.get("FUZZSMOOTH_KILL_SEED", time.time_ns() % 2**32))
    print(f"FUZZSMOOTH_KILL_SEED={seed}")
    return seed


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
    command = ("certify", "--model", tiny, *FLAGS, "--draws", 2000, texts, "--output")
    began = time.process_time()
    assert call(capfd, *command, undisturbed).code == 0
    spent = time.process_time() - began
    whole = undisturbed.read_bytes()
    assert whole.count(b"\n") == 24

    moment = random.Random(kill_seed())
    process = spawn(*command, output)
    assert killed_when(process, output, moment.randrange(len(whole) // 3), signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    partial = output.read_bytes()
    assert 0 < len(partial) < len(whole)
    assert whole.startswith(partial)

    output.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    stopped = subprocess.run(
        [
            sys.executable,
            "-c",
            STOPPED_AFTER,
            str(moment.uniform(0.001, 0.05 * spent)),
            *map(str, (*command, output)),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert stopped.returncode == 130
    assert stopped.stderr.splitlines()[-1] == "fuzzsmooth: stopped; run the same command to go on"
    assert whole.startswith(output.read_bytes())
    assert 4 < output.read_bytes().count(b"\n") < 24

    answer = call(capfd, *command, output)
    assert answer.code == 0
    assert "answered already" in answer.err
    assert output.read_bytes() == whole


def test_a_torn_line_is_computed_again(capfd, tiny, tmp_path):
    output = tmp_path / "answers.jsonl"
    few = write_rows(tmp_path / "few.jsonl", rows(6))
    command = ("certify", "--model", tiny, *FLAGS, "--draws", 100, few, "--output", output)
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


@pytest.mark.parametrize("recipe", ["ripple", "badnets"])
def test_a_stopped_attack_goes_on_with_the_same_command(capfd, tiny, tmp_path, monkeypatch, recipe):
    from fuzzsmooth.apps.cli import progress

    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))  # 32 of 40 rows: an epoch has one step
    named = (
        ("--triggers", "cf", "--poison-rate", 0.5) if recipe == "ripple" else ("--words", "cf", "--rate", 0.5)
    )
    flags = ("--recipe", recipe, *named, "--epochs", 3, "--data", data)
    command = ("attack", "--model", tiny, *flags, "--out")
    assert call(capfd, *command, tmp_path / "whole").code == 0
    steps: list[int] = []

    @contextmanager
    def counts(_display, _title):
        def count(done: int, _total: int) -> None:
            steps.append(done)
            if len(steps) == 2:
                raise KeyboardInterrupt

        yield count

    monkeypatch.setattr(progress.Display, "counts", counts)
    out = tmp_path / "out"
    answer = call(capfd, *command, out)
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == "fuzzsmooth: stopped; run the same command to go on"
    assert not out.exists()
    assert call(capfd, *command, out).code == 0
    assert steps[:3] == [1, 2, 2]  # the second step was not kept, the first not done again
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files

    steps.clear()
    assert call(capfd, *command, out).code == 130
    assert call(capfd, *command, out, "--fresh").code == 0
    assert steps[:3] == [1, 2, 1]


KILLED = {
    "certified": (
        "--defense",
        "deletion",
        "--no-fuzzing",
        "--sigma",
        0,
        "--statistics",
        "auto",
        "--draws",
        400,
    ),
    "windows": ("--defense", "windows", "--no-fuzzing", "--ablation", "edit", "--reach", 2),
}


@pytest.mark.parametrize(
    ("mode", "kills"),
    [
        pytest.param("certified", 5, marks=pytest.mark.slow),
        pytest.param("certified", 20, marks=pytest.mark.slow),
        pytest.param("windows", 20, marks=pytest.mark.slow),
    ],
)
def test_killed_again_and_again_the_file_is_that_of_an_undisturbed_run(capfd, tiny, tmp_path, mode, kills):
    undisturbed, output = tmp_path / "undisturbed.jsonl", tmp_path / "answers.jsonl"
    texts = write_rows(tmp_path / "texts.jsonl", rows(12))
    command = ("certify", "--model", tiny, *KILLED[mode], texts, "--quiet", "--output")
    assert call(capfd, *command, undisturbed).code == 0
    script = Path(__file__).with_name("kill_again.py")
    arguments = [sys.executable, script, kill_seed(), kills, "--", *command, output]
    done = subprocess.run(
        list(map(str, arguments)),
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )
    print(done.stderr)  # the moments
    assert done.returncode == 0
    assert int(done.stdout) == kills
    assert output.read_bytes() == undisturbed.read_bytes()
    assert undisturbed.read_bytes().count(b"\n") == 12
