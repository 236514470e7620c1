"""Workers end with the process that began them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grid_runs
import pytest

from fuzzsmooth.bench.grid.processes import end, started

BEGIN = """
import sys, time
from pathlib import Path
from test_bench_grid_processes import wait_for_ever
from fuzzsmooth.bench.grid.processes import started
if __name__ == "__main__":
    started(wait_for_ever, [(sys.argv[1],)])
    time.sleep(600)
"""


def wait_for_ever(file: str) -> None:
    """Tell one's number, and wait."""
    partial = Path(file).with_suffix(".partial")
    partial.write_text(str(os.getpid()), encoding="utf-8")
    partial.rename(file)
    time.sleep(600)


def told(file: Path) -> int:
    for _ in range(600):
        if file.is_file():
            return int(file.read_text(encoding="utf-8"))
        time.sleep(0.1)
    pytest.fail("no worker began")


def is_alive(number: int) -> bool:
    """Whether a process runs; one that ended but that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs Linux's /proc")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "begin.py"
    script.write_text(BEGIN, encoding="utf-8")
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "number")], env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        worker = told(tmp_path / "number")
        assert is_alive(worker)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        for _ in range(100):
            if not is_alive(worker):
                break
            time.sleep(0.1)
        assert not is_alive(worker)
    finally:
        parent.kill()
        parent.wait()


def test_workers_are_ended(tmp_path: Path) -> None:
    (process,) = started(wait_for_ever, [(str(tmp_path / "number"),)])
    told(tmp_path / "number")
    assert process.is_alive()
    end([process])
    assert not process.is_alive()


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs Linux's /proc")
def test_cells_whose_workers_were_killed_count_as_failed(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel kills them where memory is short: nobody is told that all is done."""
    from fuzzsmooth.bench.grid import running
    from fuzzsmooth.bench.zoo import auditing

    cells = grid_runs.cells(place)[:2]
    monkeypatch.setattr(running, "_work", die)
    failed = running.run_grid(cells, tmp_path / "grid", workers=2)
    assert set(failed) == {cell.title for cell in cells}
    assert all("its worker died; run the same command again" in one for one in failed.values())
    monkeypatch.setattr(auditing, "_work", die)
    tasks = auditing.tasks_of(cells[:1], ["random-words"])
    assert len(auditing.audit_zoo(tasks, tmp_path / "grid", workers=2)) == len(tasks) == 1


def die(*_: object) -> None:
    """What a worker does that is killed."""
    os.kill(os.getpid(), signal.SIGKILL)
