"""Runs a command, kills it at random moments, runs it again: a process of its own, so that forks are cheap.

Arguments: seed, how often to kill, where the finished file's size stands as text, and the command after "--".
The command's libraries are loaded once; each attempt is a fork that is killed after a random part of the time
an undisturbed attempt took. Prints how many attempts were killed before they were through, and on standard
error every moment, so that a failure tells when it was.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time


def attempt(arguments: list[str], seconds: float | None) -> bool:
    """Fork and run the command, killed after so many seconds; whether it came to its end."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        from fuzzsmooth.apps.cli.main import main

        os._exit(main(arguments))
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    assert os.WEXITSTATUS(status) == 0, f"exit code {os.WEXITSTATUS(status)}"
    return True


def main_() -> None:
    seed, kills = int(sys.argv[1]), int(sys.argv[2])
    arguments = sys.argv[sys.argv.index("--") + 1 :]
    output = arguments[arguments.index("--output") + 1]
    import torch
    import transformers  # noqa: F401

    import fuzzsmooth.apps.cli.main
    import fuzzsmooth.models.huggingface  # noqa: F401

    torch.set_num_threads(1)
    moments = random.Random(seed)
    started = time.monotonic()
    assert attempt([*arguments[:-1], output + ".timed"], None)
    whole = time.monotonic() - started
    killed = 0
    while killed < kills:
        # Most of what is left of the work, so that the file grows from kill to kill but is rarely finished.
        moment = moments.uniform(0.05, 0.6) * whole
        through = attempt(arguments, moment)
        size = os.path.getsize(output) if os.path.exists(output) else 0
        told = "through" if through else "killed"
        print(f"{told} after {moment:.4f} of {whole:.4f} s with {size} bytes", file=sys.stderr)
        if through:
            os.unlink(output)
        else:
            killed += 1
    assert attempt(arguments, None)
    print(killed)


if __name__ == "__main__":
    main_()
