"""The harness of the fuzz tests notices what it is there for."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import hostile_runs
from fuzzsmooth.common.errors import FuzzsmoothError
from hostile_runs import logged, survives


def refuse(_folder: Path) -> None:
    raise FuzzsmoothError("the file is empty; give another")


@pytest.mark.parametrize("apart", [False, True])
def test_answers_and_sentences_survive(apart: bool) -> None:
    survives(lambda folder: folder.name, apart=apart)
    survives(refuse, apart=apart)


def stumble(_folder: Path) -> None:
    {}["missing"]


def print_it(_folder: Path) -> None:
    os.write(1, b"forged")


def steer(_folder: Path) -> None:
    os.write(2, b"\x1b[2J")


def spin(_folder: Path) -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (stumble, "KeyError: 'missing'"),
        (lambda folder: os.kill(os.getpid(), signal.SIGKILL), "ended by SIGKILL"),
        (lambda folder: bytearray(5 * 2**30), "MemoryError"),
        (print_it, "forged"),
        (steer, "2J"),
        (spin, "ended by SIGXCPU"),
    ],
)
def test_faults_are_noticed_apart(
    read: Callable[[Path], object], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile_runs, "CPU_SECONDS", 0)
    with pytest.raises(AssertionError, match=fault):
        survives(read, apart=True)


def test_faults_are_noticed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="KeyError"):
        survives(stumble)
    monkeypatch.setattr(hostile_runs, "MEMORY_MIB", 1)
    with pytest.raises(AssertionError):
        survives(lambda folder: None)


def test_a_test_logs_what_it_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def runs() -> None:
        survives(refuse)
        survives(lambda folder: None)
        survives(stumble)

    monkeypatch.setenv("FUZZSMOOTH_FUZZ_LOG", str(tmp_path / "log.jsonl"))
    with pytest.raises(AssertionError):
        logged("some", runs)()
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert {key: line[key] for key in ("kind", "inputs", "refused", "accepted", "failed")} == {
        "kind": "some",
        "inputs": 3,
        "refused": 1,
        "accepted": 1,
        "failed": 1,
    }
