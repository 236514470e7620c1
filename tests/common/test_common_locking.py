"""One writer at a time, also after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.locking import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from fuzzsmooth.common.locking import exclusive
with exclusive(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


@pytest.mark.parametrize("kind", ["new", "file", "folder"])
def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    if kind == "file":
        path.write_text("x")
    if kind == "folder":
        path.mkdir()
    before = list(tmp_path.iterdir())
    for ending in (signal.SIGKILL, None):
        process = holder(path)
        for name in (path, tmp_path / "." / "out"):
            with (
                pytest.raises(FuzzsmoothError, match="out is being written by another process; wait for it"),
                exclusive(name),
            ):
                raise AssertionError
        if ending is None:
            process.communicate("")
        else:
            process.send_signal(ending)
            process.communicate()
        with exclusive(path):
            pass
    assert list(tmp_path.iterdir()) == before, "no lock file is left"


def test_the_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "a" / "out"):
            _ = 1 / 0


def test_many_writers_are_never_two_at_once(tmp_path: Path) -> None:
    """Each that gets the lock checks that it is alone, while lock files come and go."""
    program = (
        "import os, sys; from pathlib import Path; from fuzzsmooth.common.errors import FuzzsmoothError\n"
        "from fuzzsmooth.common.locking import exclusive\n"
        "out, alone = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "got = 0\n"
        "while got < 150:\n"
        "    try:\n"
        "        with exclusive(out):\n"
        "            os.mkdir(alone); os.rmdir(alone); got += 1\n"
        "    except FuzzsmoothError: pass\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "out"), str(tmp_path / "alone")]
    processes = [subprocess.Popen(arguments) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FuzzsmoothError, match="cannot write"), exclusive(tmp_path / "file" / "below"):
        raise AssertionError


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_among_others_that_may_not_be_written_is_locked_itself(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("x")
    tmp_path.chmod(0o555)
    try:
        process = holder(path)
        with pytest.raises(FuzzsmoothError, match="another process"), exclusive(path):
            raise AssertionError
        process.communicate("")
        assert path.read_text() == "x"
    finally:
        tmp_path.chmod(0o755)
