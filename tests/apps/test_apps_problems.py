"""Which exceptions become a sentence, and which are errors of our own and keep their traceback."""

from __future__ import annotations

import errno

import pytest
import typer
from apps_command_line import call

from fuzzsmooth.apps.cli.problems import StoppedError, problem, resumable
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.printing import printable


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FuzzsmoothError("no such thing"), 2, "no such thing"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "the disk is full"),
        (OSError(errno.EDQUOT, "Quota", "a.txt"), 2, "a.txt"),
        (PermissionError(errno.EACCES, "Permission denied", "a.txt"), 2, "a.txt: Permission denied"),
        (MemoryError(), 2, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."), 2, "--batch-size"),
        (typer.BadParameter("not a number"), 2, "not a number"),
        (StoppedError(), 130, "run the same command to go on"),
    ],
)
def test_mistakes_become_sentences(error, code, said):
    found = problem(error)
    assert found is not None
    assert found.code == code
    assert said in found.sentence


def test_memory_of_an_accelerator():
    import torch

    found = problem(torch.OutOfMemoryError("CUDA out of memory"))
    assert found is not None
    assert "out of memory" in found.sentence


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("shape mismatch"), ValueError("x"), OSError()])
def test_errors_of_our_own_keep_their_traceback(error):
    assert problem(error) is None


def test_ctrl_c(capfd, monkeypatch):
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fuzzsmooth.data.load_splits", stop)
    answer = call(capfd, "data")
    assert (answer.code, answer.err) == (130, "fuzzsmooth: stopped\n")


def test_only_work_that_is_kept_says_it_goes_on():
    with pytest.raises(StoppedError), resumable():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), resumable(works=False):
        raise KeyboardInterrupt


def test_control_characters_never_reach_the_terminal():
    text = "a\x1b[2Jb\nc\x9bd\u2028e\udc80"
    shown = printable(text)
    assert len(shown) == len(text)  # offsets of spans stay true
    assert shown == "a\N{SYMBOL FOR ESCAPE}[2Jb\N{SYMBOL FOR LINE FEED}c\ufffdd\ufffde\ufffd"
    assert printable("日本 😀 👩‍👩‍👧 עברית") == "日本 😀 👩‍👩‍👧 עברית"
