"""Running what reads a hostile input: how it ends, what it costs, and a log of that."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.printing import printable

CPU_SECONDS = 60
MEMORY_MIB = 4096

_LONGEST_SENTENCE = 2100  # characters


@dataclass(frozen=True)
class Run:
    """How reading one input ended.

    Attributes:
        sentence: What it was refused with; None if it was accepted.
        seconds: CPU seconds.
        mebibytes: The highest memory of the process.
        fault: A traceback, or how the process died; empty if it did neither.
    """

    sentence: str | None
    seconds: float
    mebibytes: int
    fault: str = ""


@dataclass
class Tally:
    """What one test counted."""

    kind: str
    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    failed: int = 0
    slowest_cpu_seconds: float = 0.0
    highest_memory_mib: int = 0

    def add(self, run: Run) -> None:
        self.inputs += 1
        self.failed += bool(run.fault)
        self.refused += run.sentence is not None and not run.fault
        self.accepted += run.sentence is None and not run.fault
        self.slowest_cpu_seconds = round(max(self.slowest_cpu_seconds, run.seconds), 2)
        self.highest_memory_mib = max(self.highest_memory_mib, run.mebibytes)


_current = Tally("none")


def logged(kind: str, test: Callable[..., None]) -> Callable[..., None]:
    """A test that counts its inputs, and appends the counts to the log where one is asked for."""

    @functools.wraps(test)
    def counting(*arguments: object, **keywords: object) -> None:
        global _current
        _current = Tally(kind)
        try:
            test(*arguments, **keywords)
        finally:
            log = os.environ.get("FUZZSMOOTH_FUZZ_LOG")
            if log:
                with open(log, "a", encoding="utf-8") as stream:
                    stream.write(json.dumps(vars(_current)) + "\n")

    return counting


def survives(read: Callable[[Path], object], *, apart: bool = False) -> None:
    """Read in a new folder: any answer will do, and any sentence, but nothing else, and not for long.

    Args:
        read: Reads, in the folder that it is given.
        apart: Read in a process of its own, which may crash without taking the tests with it.
    """
    with TemporaryDirectory(prefix="fuzzsmooth-hostile-") as folder:
        run = (_run_apart if apart else _run)(read, Path(folder))
    _current.add(run)
    assert not run.fault, run.fault
    if run.sentence is not None:
        assert 0 < len(run.sentence) < _LONGEST_SENTENCE, "a sentence, not the file"
        assert run.sentence == printable(run.sentence)
    assert run.seconds < CPU_SECONDS
    assert run.mebibytes < MEMORY_MIB


def saved(name: str, read: Callable[[Path], object], *, apart: bool = False) -> Callable[[bytes], None]:
    """Survive reading a file of this name, with the content that is given, in a folder inside the new one."""

    def check(content: bytes) -> None:
        def write_and_read(folder: Path) -> None:
            path = folder / "inside" / name
            path.parent.mkdir()
            path.write_bytes(content)
            read(path)

        survives(write_and_read, apart=apart)

    return check


def _run(read: Callable[[Path], object], folder: Path) -> Run:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on, where Linux lets us
    began = time.process_time()
    sentence, fault = None, ""
    try:
        read(folder)
    except FuzzsmoothError as error:
        sentence = str(error)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        fault = traceback.format_exc()
    return Run(sentence, time.process_time() - began, _peak_mebibytes(), fault)


def _peak_mebibytes() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _run_apart(read: Callable[[Path], object], folder: Path) -> Run:
    """The same in a fork, which is ended when it takes too long or too much, and may print nothing."""
    with TemporaryDirectory(prefix="fuzzsmooth-apart-") as beside:
        result, out, err = (Path(beside, name) for name in ("run", "out", "err"))
        child = os.fork()
        if child == 0:
            try:
                _limit()
                for handle, stream in ((1, out), (2, err)):
                    os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), handle)
                result.write_text(json.dumps(vars(_run(read, folder))))
            finally:
                os._exit(0)
        _, status, usage = os.wait4(child, 0)
        run = Run(**json.loads(result.read_text())) if result.exists() else _died(status, usage)
        printed = out.read_bytes(), err.read_bytes()
    if printed[0] or b"\x1b" in printed[1] or run.fault:
        return replace(run, fault=f"{run.fault} It printed {printed!r:.2000}")
    return run


def _died(status: int, usage: resource.struct_rusage) -> Run:
    how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {status}"
    return Run(None, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, f"It ended by {how}.")


def _limit() -> None:
    """A little more than is allowed, so that what is over it is seen to be."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS + 1, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (virtual + MEMORY_MIB * 2**20, resource.RLIM_INFINITY))
