"""How much of the package one certificate goes through, and that no defense is a mode of another."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import fuzzsmooth
from fuzzsmooth.defenses import protect
from fuzzsmooth.models import CallableClassifier

PACKAGE = Path(fuzzsmooth.__file__).resolve().parent
MOST = 20


def entered(work: Callable[[], object]) -> dict[str, set[str]]:
    """The source files of the package whose functions are called, with the functions."""
    found: dict[str, set[str]] = {}

    def profile(frame: FrameType, event: str, _: Any) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(PACKAGE):
            found.setdefault(str(file.relative_to(PACKAGE)), set()).add(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return found


def test_one_certificate_enters_few_files() -> None:
    """Whoever asks how a certificate came about has that many files to read."""
    model = CallableClassifier(
        lambda texts: [[0.1, 0.9] if "good" in text else [0.9, 0.1] for text in texts], ["bad", "good"]
    )
    defended = protect(model, "deletion", statistics="fixed", fuzzing=False, draws=200)
    defended.certify(["a good good film"])  # imports and tables are made once
    answers: list[Any] = []
    found = entered(lambda: answers.extend(defended.certify(["good " * 12])))
    assert answers[0].certificates[0].radius >= 0, "control: it was certified"
    assert "defenses/deletion.py" in found, "control: the functions were seen"
    told = "\n".join(f"  {name}: {', '.join(sorted(found[name]))}" for name in sorted(found))
    assert len(found) <= MOST, f"{len(found)} files, at most {MOST}:\n{told}"


def test_no_source_asks_for_a_mode() -> None:
    """What differs between defenses is a method of their classes, and no comparison of names."""
    asks = re.compile(r"\.mode\b")
    assert asks.search("if options.mode == 'frs'"), "control"
    assert not asks.search("os.stat(path).st_mode, model.modes"), "control"
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    found = [
        f"{file.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if asks.search(line)
    ]
    assert not found, "\n".join(found)
