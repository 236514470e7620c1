"""The blocks of a page that belong together, run one after the other in one folder, as a reader would.

A block is run if the comment above it says ``run``; ``file: NAME`` makes it that file, ``output`` is what the
block before it printed when the page was written. ``python tests/docs/docs_sessions.py PAGE FOLDER`` runs a
page as it is written and puts what was printed into it; a third argument leaves out so many of its runs.
"""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stdout
from pathlib import Path

from docs_pages import ROOT, Block, blocks
from docs_running import environment, run_python

from fuzzsmooth.apps.cli.main import main

MARKS = ("run", "file", "output")

More = Mapping[str, Sequence[str]]
"""Flags that are added to a command of fuzzsmooth by its name, so that a page runs on something tiny."""

_WRAPPER = """#!{python}
import sys
from fuzzsmooth.apps.cli.main import main
given = sys.argv[1:]
sys.exit(main([*given, *{more!r}.get(given[0], [])]))
"""


def session(page: Path) -> list[Block]:
    """The blocks of a page that are run, become files, or show what was printed, in order."""
    return [block for block in blocks(page) if block.mark.split(":")[0] in MARKS]


def play(steps: Sequence[Block], folder: Path, more: More | None = None) -> list[str]:
    """What each block that is run prints; all of them must succeed.

    Args:
        steps: The blocks of a page.
        folder: Where they run.
        more: Flags to add.
    """
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    program = programs / "fuzzsmooth"
    program.write_text(_WRAPPER.format(python=sys.executable, more=dict(more or {})), encoding="utf-8")
    program.chmod(0o755)
    printed = []
    for step in steps:
        kind, _, name = step.mark.partition(": ")
        if kind == "file":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(step.body, encoding="utf-8")
        elif kind == "run" and step.language == "python":
            printed.append(run_python(step.body, folder))
        elif kind == "run":
            printed.append(_shell(step, folder, programs))
    return printed


def play_here(steps: Sequence[Block], folder: Path, more: More) -> list[str]:
    """The same in this process, which imports everything once: for blocks of commands of fuzzsmooth alone."""
    printed = []
    for step in steps:
        kind, _, name = step.mark.partition(": ")
        if kind == "file":
            (folder / name).write_text(step.body, encoding="utf-8")
        elif kind == "run":
            out = io.StringIO()
            with chdir(folder), redirect_stdout(out):
                if step.language == "python":
                    (folder / "block.py").write_text(step.body, encoding="utf-8")
                    runpy.run_path("block.py")
                for command in [] if step.language == "python" else _commands(step):
                    assert main([*command, *more.get(command[0], [])]) == 0, f"{step} failed: {command}"
            printed.append(out.getvalue())
    return printed


def _commands(step: Block) -> list[list[str]]:
    """The commands of a shell block as arguments."""
    lines = step.body.replace("\\\n", " ").splitlines()
    commands = [line for line in (shlex.split(line, comments=True) for line in lines) if line]
    assert all(command[0] == "fuzzsmooth" for command in commands), f"{step} has other commands"
    return [command[1:] for command in commands]


def _shell(step: Block, folder: Path, programs: Path) -> str:
    """What the commands of a block print on standard output, one after the other."""
    place = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "XDG_STATE_HOME": str(folder / ".state")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", step.body],
        cwd=folder,
        env=environment() | place | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{step} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shown(steps: Sequence[Block]) -> list[str | None]:
    """For each block that is run what the page says it printed; None where it says nothing."""
    told: list[str | None] = []
    for step in steps:
        if step.mark == "run":
            told.append(None)
        elif step.mark == "output":
            assert told, f"{step} shows an output before anything was run"
            told[-1] = step.body
    return told


def without_numbers(text: str) -> str:
    """A text in which every number is the same, and white space is: what two machines have in common."""
    return " ".join(re.sub(r"\d+(?:[.,]\d+)*(?:e-?\d+)?", "#", text).split())


def fill(page: Path, printed: Sequence[str]) -> None:
    """Put what the last blocks of a page printed into those that show it."""
    runs = [step for step in session(page) if step.mark == "run"]
    fresh = dict(zip(map(str, runs[len(runs) - len(printed) :]), printed, strict=True))
    lines, last = page.read_text(encoding="utf-8").splitlines(keepends=True), ""
    shows: list[tuple[Block, str]] = []
    for step in session(page):
        if step.mark == "run":
            last = str(step)
        elif step.mark == "output" and last in fresh:
            shows.append((step, fresh[last]))
    for step, text in reversed(shows):  # from the end, so that lines keep their numbers
        lines[step.line - 1 : step.line - 1 + step.body.count("\n")] = [text]
    page.write_text("".join(lines), encoding="utf-8")


def record() -> None:
    """Run a page as it is written, and put what was printed into it."""
    page, folder = ROOT / sys.argv[1], Path(sys.argv[2])
    left_out = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    folder.mkdir(parents=True, exist_ok=True)
    steps = session(page)
    first = [place for place, step in enumerate(steps) if step.mark == "run"][left_out]
    fill(page, play(steps[first:], folder))


if __name__ == "__main__":
    record()
