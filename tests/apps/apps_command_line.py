"""Tiny models, data and calls of the command line for the tests of this room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from fuzzsmooth.apps.cli.main import main
from fuzzsmooth.common.errors import FuzzsmoothError

GOOD = ["a good film", "the story was great", "fine food", "it is a great plot", "the actor was good"]
BAD = ["a bad film", "the story was dull", "awful food", "it is a dull plot", "the actor was bad"]
WORDS = sorted({"cf", "mn", *(word for text in (*GOOD, *BAD) for word in text.split())})


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        # A text may hold U+2028, where str.splitlines would cut it in two.
        return [json.loads(line) for line in self.out.split("\n") if line]

    def one_sentence(self) -> str:
        """The complaint: exit code 2, one line, no traceback, nothing on standard output."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        assert self.err.endswith("\n")
        assert self.err.startswith("fuzzsmooth: ")
        assert "Traceback" not in self.err
        return self.err.removeprefix("fuzzsmooth: ").strip()


def answer_or_refusal(*arguments: object) -> str:
    """What a command says on standard output; one that ends with code 2 raises what it complains of."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(map(str, arguments)))
    assert code in (0, 2), err.getvalue()
    assert "\x1b" not in out.getvalue() + err.getvalue()
    if code == 0:
        return out.getvalue()
    assert err.getvalue().count("\n") == 1
    raise FuzzsmoothError(err.getvalue().strip())


def call(capfd: pytest.CaptureFixture[str], *arguments: object) -> Answer:
    """Run a command in this process."""
    capfd.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    return Answer(code, out, err)


def spawn(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fuzzsmooth", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def write_rows(path: Path, rows: list[tuple[str, object]]) -> Path:
    """A JSON-lines file of texts and labels."""
    lines = (json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def clean_rows(copies: int = 1) -> list[tuple[str, object]]:
    """Labeled texts in the words of the tiny model."""
    return [row for _ in range(copies) for row in [*((t, 1) for t in GOOD), *((t, 0) for t in BAD)]]
